"""A settled ticket labelled anew by somebody who has looked at its label once more. Part of a transaction, always."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import User

from classifier.models import Ticket
from review.models import Decision, Seat
from review.workflow import audits, decision_records, routing
from review.workflow.decisions import NOTHING, Label


def relabel(ticket: Ticket, by: User, label: Label) -> Decision:
    """This person's word settles the ticket from now on; the ticket is locked and settled.

    It is a new round of asking, of one seat that is answered at once. What they had said of the ticket before is taken
    back; what others said stays as it stands.
    """
    _take_back(ticket, by)
    decision = decision_records.labelled(ticket, _seat(ticket, by), by, label, NOTHING, key=uuid4())
    decision_records.write_labels([decision])
    routing.settle([decision])
    audits.judge([ticket.pk])
    return decision


def _take_back(ticket: Ticket, by: User) -> None:
    """A person has one seat of a ticket: the one they answered makes room."""
    seats = Seat.objects.filter(ticket=ticket, reviewer=by, state=Seat.State.ANSWERED)
    standing = Decision.objects.by(by).standing().filter(seat__in=seats).select_related("seat")
    undone = Decision.Verdict.UNDONE
    decision_records.write(
        [decision_records.decision(ticket, one.seat, by, undone, NOTHING, key=uuid4(), undoes=one) for one in standing]
    )
    routing.withdraw(seats)


def _seat(ticket: Ticket, by: User) -> Seat:
    """In the leads' lane: after it agents do not undo what they had said."""
    last = Seat.objects.filter(ticket=ticket).order_by("round", "number").last()
    assert last  # noqa: S101 - a ticket that people have settled has the seat of whoever did
    return Seat.objects.create(
        ticket=ticket,
        number=routing.SEATS_A_ROUND * last.round + 1,
        round=last.round + 1,
        lane=Seat.Lane.LEADS,
        state=Seat.State.ANSWERED,
        reviewer=by,
        value=last.value,
        group=last.group,
        share=last.share,
        received_at=last.received_at,
        language=last.language,
    )
