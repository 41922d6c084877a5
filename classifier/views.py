"""The pages: load, call one verb, render."""

import logging
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import OperationalError
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from .forms import TicketForm
from .models import Failure, ModelSpec, Provider, Ticket
from .models.ticket import Page

logger = logging.getLogger(__name__)

SHOWN_CHARACTERS = 20_000


@require_GET
@permission_required("classifier.view_ticket", raise_exception=True)
def inbox(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    tickets = Ticket.objects.in_state(state) if state in Ticket.State.values else Ticket.objects.all()
    page = Page.of(tickets.with_labels(), before=request.GET.get("before", ""))
    tabs = [(value, label, Ticket.objects.in_state(value).count_to()) for value, label in Ticket.State.choices]
    return render(request, "classifier/inbox.html", {"page": page, "tabs": tabs, "state": state})


@require_http_methods(["GET", "POST"])
@permission_required("classifier.add_ticket", raise_exception=True)
def new_ticket(request: HttpRequest) -> HttpResponse:
    form = TicketForm(request.POST or None)
    status = 200
    try:
        if request.method == "POST" and form.is_valid():
            messages.success(request, _("The ticket is stored and waits to be classified."))
            return redirect(form.save())
    except OperationalError as error:
        logger.exception("A ticket could not be stored.")
        form.add_error(None, _("Nothing was stored: the database cannot be written (%s). Try again.") % error)
        status = 503
    return render(request, "classifier/new_ticket.html", {"form": form}, status=status)


@require_GET
@permission_required("classifier.view_ticket", raise_exception=True)
def ticket(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Ticket.objects.with_labels(), pk=pk)
    whole = "whole" in request.GET or len(found.text) <= SHOWN_CHARACTERS
    context = {
        "ticket": found,
        "text": found.text if whole else found.text[:SHOWN_CHARACTERS],
        "left_out": 0 if whole else len(found.text) - SHOWN_CHARACTERS,
        "history": found.history(),
    }
    return render(request, "classifier/ticket.html", context)


@require_GET
@permission_required("classifier.view_ticket", raise_exception=True)
def models(request: HttpRequest) -> HttpResponse:
    today = timezone.now().date()
    spent = dict(Provider.objects.filter(spends__day=today).values_list("pk").annotate(Sum("spends__cost")))
    since = timezone.now() - timedelta(days=1)
    failures = Failure.objects.filter(created_at__gt=since).values_list("spec__name", "kind").annotate(Count("pk"))
    context = {
        "specs": ModelSpec.objects.select_related("provider"),
        "providers": [(provider, spent.get(provider.pk, 0)) for provider in Provider.objects.all()],
        "failures": failures.order_by("spec__name", "kind"),
    }
    return render(request, "classifier/models.html", context)
