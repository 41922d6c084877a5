"""A lead's inbox: escalations and disagreements between two anonymous labels."""

from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Prefetch
from django.utils import timezone

from review.models import Assignment, Decision
from review.models.decision import SKIPPED_OR_ESCALATED

SHOWN, COUNTED = 50, 1_000


class LeadInbox(NamedTuple):
    """The oldest items of each kind; counts stop at COUNTED, then `more` is true.

    Items are assignments with `excerpt`, `answerable` (false if this lead answered or skipped it), `leased` and, for
    escalations, the ticket's `handed_over`: its escalations and skips, oldest first. Authors of disagreements stay
    anonymous.
    """

    escalations: list[Any]
    disagreements: list[Any]
    escalation_count: int
    disagreement_count: int
    more: bool

    @property
    def all_shown(self) -> bool:
        return max(self.escalation_count, self.disagreement_count) <= SHOWN


def load_inbox(lead: User) -> LeadInbox:
    """Load the leads' lane for this lead (four queries)."""
    lane = Assignment.objects.in_lane(Assignment.Lane.LEADS).open().order_by("received_at", "pk")
    oldest = list(lane.values_list("pk", "purpose")[:COUNTED])
    disagreements = [pk for pk, purpose in oldest if purpose == Assignment.Purpose.ADJUDICATION]
    escalations = [pk for pk, purpose in oldest if purpose != Assignment.Purpose.ADJUDICATION]
    handed_over = Decision.objects.effective().filter(verdict__in=SKIPPED_OR_ESCALATED).select_related("reviewer")
    return LeadInbox(
        list(
            _items(lead, escalations[:SHOWN]).prefetch_related(
                Prefetch("ticket__decisions", handed_over, "handed_over")
            )
        ),
        list(_items(lead, disagreements[:SHOWN])),
        len(escalations),
        len(disagreements),
        more=len(oldest) == COUNTED,
    )


def _items(lead: User, pks: list[int]) -> Any:
    answerable = Assignment.objects.answerable_by(lead).filter(pk=OuterRef("pk"))
    items = Assignment.objects.filter(pk__in=pks).with_excerpts().select_related("ticket", "reviewer")
    leased = Assignment.objects.filter(pk=OuterRef("pk"), leased_until__gt=timezone.now())
    items = items.annotate(answerable=Exists(answerable), leased=Exists(leased))
    return items.defer("ticket__text").order_by("received_at", "pk")
