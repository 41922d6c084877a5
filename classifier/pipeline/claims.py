"""Who works on which new ticket. A claim is a time: a ticket in hand is not available to others until it runs out.

A worker that dies leaves nothing to clean up: its claims run out, and `sweep` has the tickets taken up again.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from classifier.database import clock
from classifier.models import Ticket
from classifier.pipeline.heartbeat import beating

LEASE = timedelta(seconds=60)


@transaction.atomic(durable=True)
def claim(limit: int) -> list[Ticket]:
    """Take up to `limit` waiting tickets: those that came singly before those that came in bulk, the oldest first.

    Two callers never get the same ticket: the picked rows are locked, on SQLite with the whole database.
    """
    waiting = Ticket.objects.waiting().select_for_update(skip_locked=True)
    tickets: list[Ticket] = []
    for bulk in (False, True):
        tickets += waiting.filter(bulk=bulk).order_by("available_at")[: limit - len(tickets)]
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).update(
        available_at=clock.now() + LEASE, attempts=F("attempts") + 1
    )
    for ticket in tickets:
        ticket.attempts += 1
    return tickets


def kept(tickets: Sequence[Ticket]) -> AbstractContextManager[None]:
    """Renews the claim on these tickets for as long as the block runs."""
    return beating(lambda: _renew(tickets), LEASE)


def _renew(tickets: Sequence[Ticket]) -> None:
    in_hand = Ticket.objects.new().filter(pk__in=[ticket.pk for ticket in tickets])
    # A ticket put off for longer than a lease keeps its later time.
    until = clock.now() + LEASE
    in_hand.filter(available_at__lt=until).update(available_at=until)


def put_off(tickets: Sequence[Ticket], seconds: float, *, attempted: bool) -> None:
    """Give tickets back, to be taken up after so many seconds; without `attempted` the turn does not count."""
    Ticket.objects.new().filter(pk__in=[ticket.pk for ticket in tickets]).update(
        available_at=clock.now() + timedelta(seconds=seconds),
        attempts=F("attempts") if attempted else F("attempts") - 1,
    )
