"""Pages through a person's own decisions, latest first.

No index covers verdicts, so a page searches at most LOOKED_THROUGH decisions; if few match, `next_before` continues.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Left
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.text import excerpt
from review.models import Assignment, Decision
from review.models.decision import DecisionQuerySet

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEntry:
    """One decision, without what its person may not know yet. `key` identifies its undo request."""

    decision: Decision
    excerpt: str
    verdict_name: str
    undone: bool
    overruled: str
    """The label that a lead chose instead."""
    key: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """`next_before` is the `before` of the next page, None on the last."""

    entries: list[DecisionEntry]
    next_before: int | None

    @classmethod
    def load(cls, reviewer: User, *, kind: str = "", before: str = "") -> "DecisionPage":
        """Load decisions of this kind with keys below `before`; invalid values mean all kinds and the first page."""
        everything = Decision.objects.by(reviewer).order_by("-pk")
        if before.isdecimal() and len(before) < 19:
            everything = everything.filter(pk__lt=int(before))
        looked_through = everything[:LOOKED_THROUGH].values("pk")
        wanted = Decision.objects.filter(pk__in=looked_through).exclude(verdict=Decision.Verdict.UNDONE)
        if kind in KINDS:
            wanted = wanted.filter(KINDS[kind][1])
        rows = _rows(wanted, SIZE + 1)
        if len(rows) > SIZE:
            return cls(entries=_entries(rows[:SIZE]), next_before=rows[SIZE - 1].pk)
        last = everything.values_list("pk", flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
        return cls(entries=_entries(rows), next_before=last)


def _rows(wanted: DecisionQuerySet, most: int) -> list[Any]:
    rows = wanted.select_related("ticket", "category", "sentiment").defer("ticket__text").order_by("-pk")
    beginning = Left("ticket__text", 4 * EXCERPT)
    return list(rows.annotate(beginning=beginning, undone=Q(undone_by__isnull=False))[:most])


def _entries(rows: Sequence[Any]) -> list[DecisionEntry]:
    """Add the lead's label where it differs from the person's (one query)."""
    doubles = {row.ticket_id for row in rows if row.purpose == Assignment.Purpose.DOUBLE and not row.ticket.sealed}
    adjudications = Decision.objects.effective().labelled().with_labels().filter(ticket__in=doubles)
    by_ticket = {
        adjudication.ticket_id: adjudication
        for adjudication in adjudications.filter(purpose=Assignment.Purpose.ADJUDICATION)
    }
    return [_entry(row, by_ticket.get(row.ticket_id)) for row in rows]


def _entry(row: Any, adjudication: Decision | None) -> DecisionEntry:
    overruled = adjudication and row.category_id and not row.undone and not row.same_label(adjudication)
    hidden = row.category_id and (row.blind or row.ticket.sealed)
    return DecisionEntry(
        decision=row,
        excerpt=excerpt(row.beginning, EXCERPT),
        verdict_name=_("labelled") if hidden else str(row.get_verdict_display()),
        undone=row.undone,
        overruled=adjudication.label if adjudication and overruled else "",
        key=uuid4(),
    )
