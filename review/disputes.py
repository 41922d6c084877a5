"""A gold label in doubt goes to two people new to its ticket, who see neither a suggestion nor the label."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from classifier.models import Ticket
from classifier.models.outbox import Kind

from . import order, recording, routing
from .grouping import groups_of
from .models import Desk, GoldLabel, Seat

State = GoldLabel.State

SOURCE = "benchmark"
MOST_AT_ONCE = 200
"""Labels that one action disputes: each takes two people's time."""


class CannotDispute(Exception):
    """The label is being asked about already, or it is out of use."""


@transaction.atomic(durable=True)
def dispute(label: GoldLabel, by: User | None, note: str = "") -> GoldLabel:
    """Ask two people anew; until they have answered the label is out of use. Raises CannotDispute."""
    label = GoldLabel.objects.select_for_update().get(pk=label.pk)
    if label.state in (State.DISPUTED, State.RETIRED):
        raise CannotDispute
    label.ticket = label.ticket or _ticket_for(label)
    _ask_anew(label.ticket, by)
    label.state, label.note = State.DISPUTED, note[:300]
    label.save(update_fields=["ticket", "state", "note"])
    return label


def _ticket_for(label: GoldLabel) -> Ticket:
    """People are asked about tickets; what came as a text alone becomes one."""
    return Ticket.objects.create(
        source=SOURCE,
        external_id=label.digest,
        text=label.text,
        language=label.language,
        received_at=label.labelled_at,
        state=Ticket.State.HELD,
    )


def _ask_anew(ticket: Ticket, by: User | None) -> None:
    desk, ticket = Desk.current(), recording.locked(ticket.pk)
    seats = Seat.objects.filter(ticket=ticket)
    routing.withdraw(seats.open())
    # An earlier answer would give the label away, so nothing of it is told until both have answered.
    Ticket.objects.filter(pk=ticket.pk).update(state=Ticket.State.HELD, category=None, sentiment=None, sealed=True)
    last: int = seats.aggregate(last=Max("round"))["last"] or 0
    (group,) = groups_of(list(Ticket.objects.filter(pk=ticket.pk))).values()
    first_number = routing.SEATS_A_ROUND * last + 1
    Seat.objects.bulk_create(
        Seat(
            ticket=ticket,
            number=number,
            round=last + 1,
            purpose=Seat.Purpose.DOUBLE,
            blind=True,
            not_for=by,
            value=order.drawn(desk.draw(ticket.pk, "place")),
            group=group,
            received_at=timezone.now(),
            language=ticket.language,
        )
        for number in (first_number, first_number + 1)
    )
    routing.tell(Kind.REOPENED, [ticket.pk])
