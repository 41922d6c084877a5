"""New tickets in the hands of a worker; `sweep` has those of a worker that died taken up again."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import F

from classifier.leases import leases
from classifier.models import Ticket


def claim(limit: int) -> list[Ticket]:
    """Take up to `limit` waiting tickets: those that came singly before those that came in bulk, the oldest first."""
    waiting = Ticket.objects.waiting().order_by("available_at")
    queues = [waiting.filter(bulk=bulk) for bulk in (False, True)]
    return leases.acquire(*queues, limit=limit, attempts=F("attempts") + 1)


def postpone(tickets: Sequence[Ticket], seconds: float, *, attempted: bool) -> None:
    """Give tickets back, to be taken up after so many seconds; without `attempted` the turn does not count."""
    attempts = F("attempts") if attempted else F("attempts") - 1
    leases.release(tickets, timedelta(seconds=seconds), attempts=attempts)
