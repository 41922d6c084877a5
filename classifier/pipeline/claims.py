"""Claims on new tickets by workers. The sweep makes the tickets of a dead worker available again."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import F

from classifier.contract.types import FailureKind
from classifier.leases import leases
from classifier.models import Failure, Ticket
from classifier.pipeline.predict import TicketOutcome

MOST_ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0


def claim_interrupted() -> list[Ticket]:
    """Claim one ticket whose worker has died, perhaps of this very ticket: alone, it takes no other along."""
    waiting = Ticket.objects.waiting().filter(owner__isnull=False).order_by("available_at")
    return leases.acquire(waiting, attempts=F("attempts") + 1)


def claim(limit: int) -> list[Ticket]:
    """Claim up to `limit` waiting tickets, oldest first: single arrivals before bulk imports."""
    waiting = Ticket.objects.waiting().filter(owner=None).order_by("available_at")
    queues = [waiting.filter(bulk=bulk) for bulk in (False, True)]
    return leases.acquire(*queues, limit=limit, attempts=F("attempts") + 1)


def postpone(tickets: Sequence[Ticket], seconds: float, *, attempted: bool) -> None:
    """Return tickets to the queue for this many seconds; without `attempted` this try does not count."""
    attempts = F("attempts") if attempted else F("attempts") - 1
    leases.release(tickets, timedelta(seconds=seconds), attempts=attempts)


def postpones(outcome: TicketOutcome) -> bool:
    """Postpone the ticket if its model cannot answer now but may later. Returns whether it was postponed."""
    ticket, failure = outcome
    if not isinstance(failure, Failure) or (failure.permanent and not failure.provider_fault):
        return False
    if failure.provider_fault:
        postpone([ticket], 0, attempted=False)
        return True
    if failure.kind == FailureKind.BUDGET:
        postpone([ticket], max(_pause(ticket), failure.retry_after or 0), attempted=False)
        return True
    return retries_later(ticket, failure.retry_after or 0)


def retries_later(ticket: Ticket, least: float = 0) -> bool:
    """Postpone a ticket whose attempt failed, for `least` seconds or longer, unless it was the last attempt. Returns
    whether it was postponed.
    """
    if ticket.attempts >= MOST_ATTEMPTS:
        return False
    postpone([ticket], max(_pause(ticket), least), attempted=True)
    return True


def _pause(ticket: Ticket) -> float:
    pause = min(FIRST_PAUSE * 3.0 ** (ticket.attempts - 1), LONGEST_PAUSE)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
