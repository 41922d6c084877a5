"""Claims on new tickets by workers. The sweep makes the tickets of a dead worker available again."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import F

from classifier.leases import leases
from classifier.models import Ticket


def claim(limit: int) -> list[Ticket]:
    """Claim up to `limit` waiting tickets, oldest first: single arrivals before bulk imports."""
    waiting = Ticket.objects.waiting().order_by("available_at")
    queues = [waiting.filter(bulk=bulk) for bulk in (False, True)]
    return leases.acquire(*queues, limit=limit, attempts=F("attempts") + 1)


def postpone(tickets: Sequence[Ticket], seconds: float, *, attempted: bool) -> None:
    """Return tickets to the queue for this many seconds; without `attempted` this try does not count."""
    attempts = F("attempts") if attempted else F("attempts") - 1
    leases.release(tickets, timedelta(seconds=seconds), attempts=attempts)
