"""A lead's inbox: escalations and disagreements between two anonymous labels."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models.functions import Left
from django.utils import timezone

from classifier.text import excerpt
from review.models import Assignment, Decision

SHOWN, COUNTED = 50, 1_000
EXCERPT = 120

_HANDED_OVER = [Decision.Verdict.SKIPPED, Decision.Verdict.ESCALATED]


@dataclass(slots=True, kw_only=True)
class InboxItem:
    """One assignment in the leads' lane, as this lead sees it."""

    assignment: Assignment
    excerpt: str
    holder: User | None
    """Who has it open."""
    answerable: bool
    """False if this lead answered or skipped it."""
    handed_over: list[Decision] = field(default_factory=list)
    """Escalations and skips, oldest first; empty for disagreements, whose authors stay anonymous."""


class LeadInbox(NamedTuple):
    """The oldest items of each kind; counts stop at COUNTED, then `more` is true."""

    escalations: list[InboxItem]
    disagreements: list[InboxItem]
    escalation_count: int
    disagreement_count: int
    more: bool

    @property
    def all_shown(self) -> bool:
        counted = self.escalation_count + self.disagreement_count
        return len(self.escalations) + len(self.disagreements) >= counted


def load_inbox(lead: User) -> LeadInbox:
    """Load the leads' lane for this lead (four queries)."""
    lane = Assignment.objects.in_lane(Assignment.Lane.LEADS).open().order_by("received_at", "pk")
    oldest = list(lane.values_list("pk", "purpose")[:COUNTED])
    disagreements = [pk for pk, purpose in oldest if purpose == Assignment.Purpose.ADJUDICATION]
    escalations = [pk for pk, purpose in oldest if purpose != Assignment.Purpose.ADJUDICATION]
    items = _items(lead, escalations[:SHOWN] + disagreements[:SHOWN])
    return LeadInbox(
        [items[pk] for pk in escalations[:SHOWN] if pk in items],
        [items[pk] for pk in disagreements[:SHOWN] if pk in items],
        len(escalations),
        len(disagreements),
        more=len(oldest) == COUNTED,
    )


def _items(lead: User, pks: list[int]) -> dict[int, InboxItem]:
    assignments = Assignment.objects.filter(pk__in=pks)
    answerable = set(assignments.answerable_by(lead).values_list("pk", flat=True))
    shown = assignments.select_related("ticket", "reviewer").defer("ticket__text")
    shown = shown.annotate(beginning=Left("ticket__text", 4 * EXCERPT))
    items = {assignment.pk: _item(assignment, answerable) for assignment in shown}
    escalated = {
        item.assignment.ticket_id: item
        for item in items.values()
        if item.assignment.purpose != Assignment.Purpose.ADJUDICATION
    }
    acts = Decision.objects.effective().filter(ticket__in=escalated, verdict__in=_HANDED_OVER)
    for act in acts.select_related("reviewer").order_by("pk"):
        escalated[act.ticket_id].handed_over.append(act)
    return items


def _item(assignment: Any, answerable: set[int]) -> InboxItem:
    leased = not assignment.is_free(timezone.now())
    return InboxItem(
        assignment=assignment,
        excerpt=excerpt(assignment.beginning, EXCERPT),
        holder=assignment.reviewer if leased else None,
        answerable=assignment.pk in answerable,
    )
