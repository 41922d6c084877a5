"""Answers of people who sit before another program than the review screen, such as a help desk."""

from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import Ticket
from review.models import Decision, Seat
from review.workflow import decision_records, decisions
from review.workflow.decisions import (
    NOTHING,
    Label,
    Shown,
    TooLate,
)


def decide(ticket: Ticket, reviewer: User, label: Label, *, seen: bool, key: UUID, note: str = "") -> Decision:
    """Record a label for the seat of this ticket that the person may answer, in hand or free.

    `seen` says that they knew what the model had said. Sent again with its key it changes nothing. Raises TooLate,
    also where nobody is asked about the ticket or somebody else is at it.
    """
    seat = _seat(ticket, reviewer)
    if seat is None:
        if known := decision_records.known(key, reviewer):
            return known
        raise TooLate(ticket)
    shown = Shown(prediction=decision_records.predictions_of([ticket.pk]).get(ticket.pk)) if seen else NOTHING
    return decisions.decide(seat, reviewer, label, shown=shown, key=key, note=note)


def _seat(ticket: Ticket, reviewer: User) -> Seat | None:
    lanes = [Seat.Lane.AGENTS] + ([Seat.Lane.LEADS] if reviewer.has_perm("review.adjudicate") else [])
    seats = Seat.objects.open().filter(ticket=ticket, lane__in=lanes).answerable_by(reviewer).order_by("number")
    return seats.filter(reviewer=reviewer).first() or seats.free(timezone.now()).first()
