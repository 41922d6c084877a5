"""The pages for tickets and models."""

import logging
from collections import Counter
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import IntegrityError, OperationalError
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from classifier import form_recovery, tallies
from classifier.form_recovery import recoverable
from classifier.models import Failure, Gate, GateMode, LanguageModel, Provider, Scorer, Ticket, Verdict
from classifier.models.ticket import TicketPage
from classifier.models.verdict import with_current_verdicts
from classifier.pipeline import verdict_explanation
from classifier.tickets import prediction_evidence
from classifier.tickets.attribute_values import AttributeReader
from classifier.tickets.effective_label import shown_attributes, shown_further
from classifier.tickets.status import TicketStatus, visible_history
from classifier.web.forms import TicketForm

logger = logging.getLogger(__name__)

SHOWN_CHARACTERS = 20_000
LATEST_FAILURES = LATEST_VERDICTS = 1_000
EXPLANATION_PERMISSIONS = ("review.set_accuracy_target", "classifier.view_score")
"""Any of these permissions shows why the gate decided as it did."""


@require_safe
@permission_required("classifier.view_ticket", raise_exception=True)
def inbox(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    tickets = Ticket.objects.in_visible_state(state) if state in Ticket.State.values else Ticket.objects.all()
    page = TicketPage.load(with_current_verdicts(tickets).with_excerpts(), before=request.GET.get("before", ""))
    numbers = {value: Ticket.objects.in_visible_state(value).count_to() for value in Ticket.State.values}
    tabs = [("", _("All"), Ticket.objects.count_to())]
    tabs += [(value, str(label), numbers[value]) for value, label in Ticket.State.choices]
    context = {
        "rows": [
            (ticket, TicketStatus.for_ticket(ticket), timesince(ticket.received_at, depth=1)) for ticket in page.tickets
        ],
        "next_before": page.next_before,
        "tabs": tabs,
        "state": state,
        "review_button": _review_button(numbers[Ticket.State.NEEDS_REVIEW]),
        "arrives": not request.GET,
    }
    return render(request, "classifier/inbox.html", context)


def _review_button(shown: str) -> str:
    """The label of the button to the review screen; empty if no ticket needs review. `shown` may be "999+"."""
    number = int(shown) if shown.isdecimal() else 1_000
    label = ngettext("Review %(number)s ticket", "Review %(number)s tickets", number) % {"number": shown}
    return label if number else ""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("classifier.add_ticket", raise_exception=True)
@recoverable("classifier:new_ticket")
def new_ticket(request: HttpRequest) -> HttpResponse:
    form = TicketForm(request.POST or None, initial=_recovered_input(request))
    status = 200
    try:
        if request.method == "POST" and form.is_valid():
            stored = form.save()
            messages.success(request, _("Ticket saved. It is waiting for classification."))
            return redirect(stored)
    except IntegrityError:
        # Another request saved this external ID since the form was validated.
        if not form.refuse_duplicate():
            raise
    except OperationalError as error:
        logger.exception("A ticket could not be saved.")
        form.add_error(None, _("Nothing was saved: the database is not writable (%s). Try again.") % error)
        status = 503
    return render(request, "classifier/new_ticket.html", {"form": form}, status=status)


def _recovered_input(request: HttpRequest) -> dict[str, Any]:
    """Input that was submitted after the session had expired, to fill in the form again."""
    if request.method == "POST" or not (typed := form_recovery.restore_form(request, "classifier:new_ticket")):
        return {}
    messages.warning(request, _("You were signed out. Your input is restored below; it is not saved yet."))
    return typed.dict()


@require_safe
@permission_required("classifier.view_ticket", raise_exception=True)
def ticket_detail(request: HttpRequest, pk: int) -> HttpResponse:
    ticket = get_object_or_404(with_current_verdicts(Ticket.objects.select_related("whole_message")), pk=pk)
    message = getattr(ticket, "whole_message", None)
    whole = "whole" in request.GET or len(ticket.text) <= SHOWN_CHARACTERS
    events = visible_history(ticket)
    answered = [event.attributes for kind, event in events if kind in prediction_evidence.ANSWERS]
    reader = AttributeReader([shown_attributes(ticket), *answered])
    explains = any(map(request.user.has_perm, EXPLANATION_PERMISSIONS))
    context = {
        "ticket": ticket,
        "status": TicketStatus.for_ticket(ticket),
        "text": ticket.text if whole else ticket.text[:SHOWN_CHARACTERS],
        "left_out": 0 if whole else len(ticket.text) - SHOWN_CHARACTERS,
        "whole_message": message.text if message and whole else message and message.text[:SHOWN_CHARACTERS],
        "highlighted": prediction_evidence.highlighted_prediction(ticket),
        "attributes": reader.answers(shown_attributes(ticket)),
        "further": shown_further(ticket),
        "history": prediction_evidence.events_with_evidence(ticket, events, reader),
        "why": verdict_explanation.explain_verdict(ticket) if explains else None,
        "undone": {event.undoes_id for kind, event in events if kind == "decision"},
    }
    return render(request, "classifier/ticket.html", context)


@require_safe
@permission_required("classifier.view_ticket", raise_exception=True)
def models(request: HttpRequest) -> HttpResponse:
    today = timezone.now().date()
    spent = dict(Provider.objects.filter(spends__day=today).values_list("pk").annotate(Sum("spends__cost")))
    context = {
        "language_models": _with_repaired_replies(),
        "providers": [(provider, spent.get(provider.pk, 0)) for provider in Provider.objects.all()],
        "failures": _recent_failures(),
        "latest_failures": LATEST_FAILURES,
        "in_front": _answered_in_front(),
        "who_answers": _who_answers(),
    }
    return render(request, "classifier/models.html", context)


def _with_repaired_replies() -> list[tuple[LanguageModel, float, float]]:
    """Each model, how many of its replies had to be repaired, and how many answers it gave."""
    totals = tallies.sums()
    return [
        (language_model, totals.get(("repaired", key), 0), totals.get(("classified", key), 0))
        for language_model in LanguageModel.objects.select_related("provider")
        for key in [str(language_model.pk)]
    ]


def _answered_in_front() -> dict[str, Any] | None:
    """How many of the latest tickets the front model answered; None without a front model."""
    gate = Gate.objects.with_models().first()
    if gate is None or gate.front is None:
        return None
    latest = (
        Verdict.objects.current()
        .order_by("-pk")
        .values_list("auto_accepted", "epoch__language_model")[:LATEST_VERDICTS]
    )
    answered = [auto_accepted and language_model == gate.front_id for auto_accepted, language_model in latest]
    return {"model": gate.front, "tickets": len(answered), "answered": sum(answered)}


def _who_answers() -> str:
    """Whose labels count, where a score decides; empty where stated confidence does, or before the first score."""
    gate = Gate.objects.with_models().first()
    if gate is None or gate.mode == GateMode.CONFIDENCE:
        return ""
    live = Scorer.objects.filter(live=True, language_model=gate.active_primary()).select_related("language_model")
    scorer = live.first()
    return scorer.who_answers if scorer else ""


def _recent_failures() -> list[tuple[str, str, int]]:
    """Model, kind and number among the latest failures only, so that the page stays fast."""
    since = timezone.now() - timedelta(days=1)
    latest = Failure.objects.order_by("-pk").values_list("created_at", "language_model__name", "kind")[:LATEST_FAILURES]
    numbers = Counter((model, kind) for created_at, model, kind in latest if created_at > since)
    return [(model, kind, number) for (model, kind), number in sorted(numbers.items())]
