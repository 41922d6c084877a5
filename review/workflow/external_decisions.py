"""Records labels that people give in another program, such as a help desk or an API client."""

from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import Ticket
from review.models import Assignment, Decision
from review.workflow import decision_records, decisions
from review.workflow.decision_records import NOTHING_PRESENTED, Label, Presented
from review.workflow.decisions import TooLate


def decide(
    ticket: Ticket, reviewer: User, label: Label, *, suggestion_shown: bool, key: UUID, note: str = ""
) -> Decision:
    """Record a label for the assignment of this ticket that the person has open or may take.

    `suggestion_shown`: whether they saw the model's label. A repeated call with the same key changes nothing. Raises
    TooLate, also if the ticket needs no review or someone else has it open.
    """
    assignment = _assignment(ticket, reviewer)
    if assignment is None:
        if known := decision_records.decision_for_key(key, reviewer):
            return known
        raise TooLate(ticket)
    shown = (
        Presented(prediction=decision_records.current_predictions([ticket.pk]).get(ticket.pk))
        if suggestion_shown
        else NOTHING_PRESENTED
    )
    return decisions.decide(assignment, reviewer, label, shown=shown, key=key, note=note)


def _assignment(ticket: Ticket, reviewer: User) -> Assignment | None:
    lanes = [Assignment.Lane.AGENTS] + ([Assignment.Lane.LEADS] if reviewer.has_perm("review.adjudicate") else [])
    assignments = (
        Assignment.objects.open().filter(ticket=ticket, lane__in=lanes).answerable_by(reviewer).order_by("number")
    )
    return assignments.filter(reviewer=reviewer).first() or assignments.free(timezone.now()).first()
