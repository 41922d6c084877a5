"""Pages through a person's own decisions, latest first.

No index covers verdicts, so a page searches at most LOOKED_THROUGH decisions; if few match, `next_before` continues.
"""

from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Left
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.text import excerpt, key_from
from review.models import Assignment, Decision

SIZE, LOOKED_THROUGH = 50, 2_000
EXCERPT = 90

_HIDDEN = Q(blind=True) | Q(ticket__sealed=True)
"""Decisions whose verdict would reveal the model's answer."""

KINDS: dict[str, tuple[Promise, Q]] = {
    "accepted": (gettext_lazy("Accepted"), Q(verdict="accepted") & ~_HIDDEN),
    "corrected": (gettext_lazy("Corrected"), Q(verdict="corrected") & ~_HIDDEN),
    "blind": (gettext_lazy("Labelled blind"), Q(category__isnull=False) & _HIDDEN),
    "skipped": (gettext_lazy("Skipped"), Q(verdict="skipped")),
    "escalated": (gettext_lazy("Escalated"), Q(verdict="escalated")),
    "undone": (gettext_lazy("Undone"), Q(undone_by__isnull=False)),
}
"""The tabs of the page."""


class DecisionPage(NamedTuple):
    """Decisions without what their person may not know yet; `next_before` is the next page's `before`, or None.

    Each has `excerpt`, `verdict_name`, `undone`, `overruled` (the label that a lead chose instead) and `undo_key`.
    """

    decisions: list[Any]
    next_before: int | None


def load_page(reviewer: User, *, kind: str = "", before: str = "") -> DecisionPage:
    """Load decisions of this kind with keys below `before`; invalid values mean all kinds and the first page."""
    everything = Decision.objects.by(reviewer).order_by("-pk")
    if key := key_from(before):
        everything = everything.filter(pk__lt=key)
    wanted = Decision.objects.filter(pk__in=everything[:LOOKED_THROUGH].values("pk"))
    wanted = wanted.exclude(verdict=Decision.Verdict.UNDONE).filter(KINDS[kind][1] if kind in KINDS else Q())
    wanted = wanted.select_related("ticket", "category", "sentiment").defer("ticket__text").order_by("-pk")
    beginning = Left("ticket__text", 4 * EXCERPT)
    rows = list(wanted.annotate(beginning=beginning, undone=Q(undone_by__isnull=False))[: SIZE + 1])
    if len(rows) > SIZE:
        return DecisionPage(_described(rows[:SIZE]), rows[SIZE - 1].pk)
    last = everything.values_list("pk", flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
    return DecisionPage(_described(rows), last)


def _described(rows: list[Any]) -> list[Any]:
    """Describe the rows, with the lead's label where it differs from the person's (one query)."""
    doubles = {row.ticket_id for row in rows if row.purpose == Assignment.Purpose.DOUBLE and not row.ticket.sealed}
    by_leads = Decision.objects.effective().labelled().filter(purpose=Assignment.Purpose.ADJUDICATION)
    adjudications = {row.ticket_id: row for row in by_leads.with_labels().filter(ticket__in=doubles)}
    for row in rows:
        hidden = row.category_id and (row.blind or row.ticket.sealed)
        adjudication = adjudications.get(row.ticket_id)
        overruled = adjudication and row.category_id and not row.undone and not row.same_label(adjudication)
        row.excerpt = excerpt(row.beginning, EXCERPT)
        row.verdict_name = _("labelled") if hidden else str(row.get_verdict_display())
        row.overruled = adjudication.label if adjudication and overruled else ""
        row.undo_key = uuid4()
    return rows
