"""The queue as a table, and bulk accept."""

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url
from django_tables2 import RequestConfig

from classifier import form_recovery
from classifier.database.search import MOST_MATCHES
from classifier.text import key_from
from review.duplicates import incidents
from review.http import HtmxHttpRequest, reviewer_required
from review.models import Assignment, Decision
from review.screen import bulk
from review.worklist.filters import AssignmentFilter
from review.worklist.listing import MOST, QueuePaginator
from review.worklist.tables import AssignmentTable

UNDO = "undo"


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@reviewer_required
def queue(request: HtmxHttpRequest) -> HttpResponse:
    if selection := form_recovery.restore_form(request, "review:bulk_accept"):
        return _preview(request, selection)
    filters = AssignmentFilter(request)
    table = AssignmentTable(filters.qs, request.user)
    RequestConfig(request, paginate={"paginator_class": QueuePaginator}).configure(table)
    context: dict[str, Any] = {"filters": filters, "table": table, "most": MOST, "most_matches": MOST_MATCHES}
    if request.htmx:
        return push_url(
            render(request, "review/worklist/_queue_table.html", context | {"swapped": True}),
            _queue_url(_stated(request.GET)),
        )
    context |= {
        "undoable": _undoable(request),
        "undo_key": uuid4(),
        "incidents": incidents.waiting_incidents(request.user),
    }
    return render(request, "review/worklist/queue.html", context)


@form_recovery.recoverable("review:queue")
@require_POST
@reviewer_required
def bulk_accept(request: HtmxHttpRequest) -> HttpResponse:
    """Preview the selection, or accept it once confirmed."""
    if "confirmed" not in request.POST:
        return _preview(request, request.POST)
    back, preview = _back(request.POST), bulk.preview(_selected(request.POST), request.user)
    accepted = bulk.accept(preview.confirmed(request.POST.get("label", "")), request.user)
    if accepted.undoable:
        back[UNDO] = str(accepted.undoable.pk)
    (messages.success if accepted.number else messages.error)(request, accepted.text)
    return redirect(_queue_url(back))


def _preview(request: HtmxHttpRequest, selection: QueryDict) -> HttpResponse:
    back, preview = _back(selection), bulk.preview(_selected(selection), request.user)
    if preview.groups or preview.left_out:
        return render(request, "review/worklist/bulk_accept.html", {"preview": preview, "back": back.urlencode()})
    messages.error(request, _("Select tickets first."))
    return redirect(_queue_url(back))


def _selected(selection: QueryDict) -> list[Assignment]:
    return bulk.selected_assignments(selection.getlist("shown" if "all" in selection else "assignment"))


def _back(selection: QueryDict) -> QueryDict:
    return _stated(QueryDict(selection.get("back", "")))


def _stated(query: QueryDict) -> QueryDict:
    """The query without empty values and `undo`, which only the next page offers."""
    stated = query.copy()
    for name, value in query.items():
        if not value or name == UNDO:
            del stated[name]
    return stated


def _queue_url(query: QueryDict) -> str:
    return reverse("review:queue", query=query)


def _undoable(request: HtmxHttpRequest) -> Decision | None:
    pk = key_from(request.GET.get(UNDO, ""))
    return (
        None if pk is None else Decision.objects.by(request.user).effective().filter(pk=pk, batch__isnull=False).first()
    )
