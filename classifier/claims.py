"""Who works on which new ticket. A claim is a time: a ticket in hand is not available to others until it runs out.

A worker that dies leaves nothing to clean up: its claims run out, and `sweep` has the tickets taken up again.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from .heartbeat import beating
from .models import Ticket

LEASE = timedelta(seconds=60)


@transaction.atomic(durable=True)
def claim(limit: int, first: Sequence[int] = ()) -> list[Ticket]:
    """Take up to `limit` waiting tickets, `first` before the oldest; none where `first` is named and gone.

    Two callers never get the same ticket: the picked rows are locked, on SQLite with the whole database.
    """
    waiting = Ticket.objects.waiting().select_for_update(skip_locked=True)
    tickets = list(waiting.filter(pk__in=first)[:limit])
    if not first or tickets:
        taken = [ticket.pk for ticket in tickets]
        tickets += waiting.exclude(pk__in=taken).order_by("available_at")[: limit - len(taken)]
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).update(
        available_at=timezone.now() + LEASE, attempts=F("attempts") + 1
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
    until = timezone.now() + LEASE
    in_hand.filter(available_at__lt=until).update(available_at=until)


def put_off(tickets: Sequence[Ticket], seconds: float, *, attempted: bool) -> None:
    """Give tickets back, to be taken up after so many seconds; without `attempted` the turn does not count."""
    Ticket.objects.new().filter(pk__in=[ticket.pk for ticket in tickets]).update(
        available_at=timezone.now() + timedelta(seconds=seconds),
        attempts=F("attempts") if attempted else F("attempts") - 1,
    )
