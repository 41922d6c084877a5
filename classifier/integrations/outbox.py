"""What is owed to others' servers is sent: taken, sent without a transaction, and settled by how it went.

The lease of a worker that dies runs out, and the row is sent again, so a receiver may see it twice. Each destination
has its turn, so one that hangs holds up only itself, and is then left alone for a while.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.request import Request

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from classifier.integrations.http_request import HttpResult, send
from classifier.leases import leases
from classifier.models.outbox import Destination, Outgoing
from classifier.security.secrets_from_env import MissingSecret

logger = logging.getLogger(__name__)

BATCH_SIZE = 8
"""Rows of one destination that are sent at a time; their order is kept no better than that."""
THREADS = 16
RETRY_SECONDS = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200)
"""Seconds before each further try, about; after the last it is given up."""
MAX_PAUSE_SECONDS = 60.0
"""Seconds that a destination is left alone after a fault, unless it asks for more."""


class OutgoingRequest(NamedTuple):
    """What is to be sent for a row (None: nothing has changed), and what is put down of it once it has gone."""

    request: Request | None
    leaves: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRoute:
    """One kind of rows that go out.

    `going` says what is to be sent, reading where it must; it raises Missing. `is_final` says of a refusal's status
    whether trying again is of no use.
    """

    rows: type[Outgoing]
    going: Callable[[Any], OutgoingRequest]
    is_final: Callable[[Any, int], bool]

    def awake(self) -> list[Destination]:
        """The active destinations that something is due for and that are not left alone (one query)."""
        destinations: QuerySet[Any] = self.rows.destination.field.related_model._default_manager.all()
        due = self.rows.objects.due().filter(destination=OuterRef("pk"))
        # One probe of the index for each destination; joined, all that is due would be read.
        probe = Exists(due[:1])
        rested = Q(paused_until=None) | Q(paused_until__lte=Now())
        return list(destinations.filter(rested, probe, active=True))


@dataclass(slots=True)
class _Claimed:
    route: OutboxRoute
    row: Any
    going: OutgoingRequest = field(default=OutgoingRequest(None))


def send_due(routes: Sequence[OutboxRoute]) -> bool:
    """Send one batch of what is due. Returns whether there may be more."""
    batches = [_claim(route, destination) for route in routes for destination in route.awake()]
    claimed = [one for batch in batches for one in batch]
    if claimed:
        with leases.renewing(one.row for one in claimed):
            for one, outcome in _sent(claimed):
                _settle(one, outcome)
    return any(len(batch) == BATCH_SIZE for batch in batches)


def is_due(routes: Sequence[OutboxRoute]) -> bool:
    return any(route.awake() for route in routes)


def _claim(route: OutboxRoute, destination: Destination) -> list[_Claimed]:
    """Take what is due for a destination."""
    due = route.rows.objects.due().filter(destination=destination).order_by("available_at", "pk")
    rows = leases.acquire(due, limit=BATCH_SIZE, attempts=F("attempts") + 1)
    for row in rows:
        row.destination = destination
    return [_Claimed(route, row) for row in rows]


def _sent(claimed: Sequence[_Claimed]) -> Iterator[tuple[_Claimed, HttpResult]]:
    """Each as soon as it is known how it went."""
    with ThreadPoolExecutor(THREADS) as threads:
        under_way = {}
        for one in claimed:
            if hindrance := _hindrance(one):
                yield one, HttpResult(error=hindrance)
            elif one.going.request is None:
                yield one, HttpResult()
            else:
                under_way[threads.submit(send, one.going.request)] = one
        for done in as_completed(under_way):
            yield under_way[done], done.result()


def _hindrance(one: _Claimed) -> str:
    """Put together what is to be sent; why that cannot be, or nothing."""
    try:
        one.going = one.route.going(one.row)
    except MissingSecret as missing:
        return str(missing)
    except Exception as fault:
        # It must not hold up the others; in the end it is given up like what is refused.
        logger.exception("%s %s cannot be sent.", one.route.rows.__name__, one.row.pk)
        return type(fault).__name__
    return ""


def _settle(one: _Claimed, outcome: HttpResult) -> None:
    row, how = one.row, {"status": outcome.status, "error": outcome.error[:300]}
    if outcome.went:
        how |= one.going.leaves
        as_sent = row.still_held.filter(revision=row.revision)
        if not as_sent.release(state=Outgoing.State.DELIVERED, settled_at=Now(), **how):
            # Asked for again while it was under way.
            row.still_held.release(**how)
    elif row.attempts > len(RETRY_SECONDS) or (outcome.status and one.route.is_final(row, outcome.status)):
        row.still_held.release(state=Outgoing.State.GIVEN_UP, settled_at=Now(), **how)
    else:
        pause = RETRY_SECONDS[row.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        row.still_held.release(timedelta(seconds=max(pause, outcome.retry_after)), **how)
        if outcome.is_fault:
            _rest(row.destination, max(min(pause, MAX_PAUSE_SECONDS), outcome.retry_after))


def _rest(destination: Destination, seconds: float) -> None:
    until = Now() + timedelta(seconds=seconds)
    type(destination)._default_manager.filter(pk=destination.pk).update(paused_until=until)
