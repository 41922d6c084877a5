"""What waits for a lead: tickets that agents passed on, and labels that differ, without whose they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models.functions import Left
from django.utils import timezone

from classifier.text import excerpt
from review.models import Assignment, Decision

SHOWN, COUNTED = 50, 1_000
EXCERPT = 120

_PASSED_ON = [Decision.Verdict.SKIPPED, Decision.Verdict.ESCALATED]


@dataclass(slots=True, kw_only=True)
class Referral:
    """One assignment in the leads' lane, as one lead sees it."""

    assignment: Assignment
    excerpt: str
    holder: User | None
    """Who has it in hand."""
    mine_to_judge: bool
    """Whether this lead is somebody else than those who answered or skipped it."""
    passed_on: list[Decision] = field(default_factory=list)
    """Who escalated or skipped it, oldest first; none of labels that differ, for it might tell who gave them."""


class Referrals(NamedTuple):
    """The oldest of each kind. How many there are is counted up to a limit, which `more` says was reached."""

    escalations: list[Referral]
    disagreements: list[Referral]
    number_of_escalations: int
    number_of_disagreements: int
    more: bool

    @property
    def all_shown(self) -> bool:
        counted = self.number_of_escalations + self.number_of_disagreements
        return len(self.escalations) + len(self.disagreements) >= counted


def waiting_for(lead: User) -> Referrals:
    """What the leads' lane holds, as this lead sees it (four queries)."""
    lane = Assignment.objects.in_lane(Assignment.Lane.LEADS).open().order_by("received_at", "pk")
    oldest = list(lane.values_list("pk", "purpose")[:COUNTED])
    disagreements = [pk for pk, purpose in oldest if purpose == Assignment.Purpose.ADJUDICATION]
    escalations = [pk for pk, purpose in oldest if purpose != Assignment.Purpose.ADJUDICATION]
    referrals = _referrals(lead, escalations[:SHOWN] + disagreements[:SHOWN])
    return Referrals(
        [referrals[pk] for pk in escalations[:SHOWN] if pk in referrals],
        [referrals[pk] for pk in disagreements[:SHOWN] if pk in referrals],
        len(escalations),
        len(disagreements),
        more=len(oldest) == COUNTED,
    )


def _referrals(lead: User, pks: list[int]) -> dict[int, Referral]:
    assignments = Assignment.objects.filter(pk__in=pks)
    answerable = set(assignments.answerable_by(lead).values_list("pk", flat=True))
    shown = assignments.select_related("ticket", "reviewer").defer("ticket__text")
    shown = shown.annotate(beginning=Left("ticket__text", 4 * EXCERPT))
    found = {assignment.pk: _referral(assignment, answerable) for assignment in shown}
    escalated = {
        one.assignment.ticket_id: one
        for one in found.values()
        if one.assignment.purpose != Assignment.Purpose.ADJUDICATION
    }
    acts = Decision.objects.effective().filter(ticket__in=escalated, verdict__in=_PASSED_ON)
    for act in acts.select_related("reviewer").order_by("pk"):
        escalated[act.ticket_id].passed_on.append(act)
    return found


def _referral(assignment: Any, answerable: set[int]) -> Referral:
    still_held = not assignment.is_free(timezone.now())
    return Referral(
        assignment=assignment,
        excerpt=excerpt(assignment.beginning, EXCERPT),
        holder=assignment.reviewer if still_held else None,
        mine_to_judge=assignment.pk in answerable,
    )
