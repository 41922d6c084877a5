"""Sends queued requests to other servers: leases rows, sends them outside a transaction, and records the results.

If a worker dies, its lease expires and the row is sent again, so a receiver may get it twice. Each destination has its
own batch, which one worker at a time sends, so a slow one delays only itself, and is paused after a failure.
"""

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
from django.utils import timezone

from classifier.integrations.http_request import HttpResult, send
from classifier.leases import leases
from classifier.models.outbox import Destination, Outgoing
from classifier.security.secrets_from_env import MissingSecret

logger = logging.getLogger(__name__)

BATCH_SIZE = 8
"""Rows of one destination that are sent in parallel, in no particular order. One worker at a time sends to it."""
CLAIM = timedelta(seconds=30)
"""How long a destination is paused for other workers while one sends to it; longer than a request may take."""
THREADS = 16
RETRY_SECONDS = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200)
"""Approximate seconds before each retry; after the last one the row is given up."""
MAX_PAUSE_SECONDS = 60.0
"""How long a destination is paused after a failure, unless it asks for longer."""


_NOT_PAUSED = Q(paused_until=None) | Q(paused_until__lte=Now())


class OutgoingRequest(NamedTuple):
    """The request for a row (None if there is nothing to send), and fields to update once it has succeeded."""

    request: Request | None
    updates: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRoute:
    """How to send one kind of rows.

    `build_request` may raise MissingSecret. `is_permanent_failure` gets the row and an error status, and says whether
    retrying is pointless.
    """

    rows: type[Outgoing]
    build_request: Callable[[Any], OutgoingRequest]
    is_permanent_failure: Callable[[Any, int], bool]

    def destinations_due(self) -> list[Destination]:
        """The active destinations that have due rows and are not paused (one query)."""
        destinations: QuerySet[Any] = self.rows.destination.field.related_model._default_manager.all()
        due = self.rows.objects.due().filter(destination=OuterRef("pk"))
        # One index probe per destination; a join would read every due row.
        return list(destinations.filter(_NOT_PAUSED, Exists(due[:1]), active=True))


@dataclass(slots=True)
class _LeasedRow:
    route: OutboxRoute
    row: Any
    outgoing: OutgoingRequest = field(default=OutgoingRequest(None))


def send_due(routes: Sequence[OutboxRoute]) -> bool:
    """Send a batch of due rows. Returns whether there are more."""
    until = timezone.now() + CLAIM
    destinations = [
        (route, destination)
        for route in routes
        for destination in route.destinations_due()
        if _rows_of(destination).filter(_NOT_PAUSED).update(paused_until=until)
    ]
    leased = [row for route, destination in destinations for row in _lease(route, destination)]
    if leased:
        with leases.renewing(leased_row.row for leased_row in leased):
            for leased_row, result in _send(leased):
                _settle(leased_row, result)
    for _route, destination in destinations:
        _rows_of(destination).filter(paused_until=until).update(paused_until=None)
    return is_due(routes)


def is_due(routes: Sequence[OutboxRoute]) -> bool:
    return any(route.destinations_due() for route in routes)


def _lease(route: OutboxRoute, destination: Destination) -> list[_LeasedRow]:
    due = route.rows.objects.due().filter(destination=destination).order_by("available_at", "pk")
    rows = leases.acquire(due, limit=BATCH_SIZE, attempts=F("attempts") + 1)
    for row in rows:
        row.destination = destination
    return [_LeasedRow(route, row) for row in rows]


def _send(leased: Sequence[_LeasedRow]) -> Iterator[tuple[_LeasedRow, HttpResult]]:
    """Send the rows in parallel; yields each result as it arrives."""
    with ThreadPoolExecutor(THREADS) as threads:
        pending = {}
        for leased_row in leased:
            if error := _build_request(leased_row):
                yield leased_row, HttpResult(error=error)
            elif leased_row.outgoing.request is None:
                yield leased_row, HttpResult()
            else:
                pending[threads.submit(send, leased_row.outgoing.request)] = leased_row
        for done in as_completed(pending):
            yield pending[done], done.result()


def _build_request(leased_row: _LeasedRow) -> str:
    """Build the row's request. Returns the error, or nothing."""
    try:
        leased_row.outgoing = leased_row.route.build_request(leased_row.row)
    except MissingSecret as missing:
        return str(missing)
    except Exception as error:
        # It must not stop the others; it is retried and given up like any failure.
        logger.exception("Cannot build the request for %s %s.", leased_row.route.rows.__name__, leased_row.row.pk)
        return type(error).__name__
    return ""


def _settle(leased_row: _LeasedRow, result: HttpResult) -> None:
    route, row = leased_row.route, leased_row.row
    fields = {"status": result.status, "error": result.error[:300]}
    if result.ok:
        fields |= leased_row.outgoing.updates
        unchanged = row.still_held.filter(revision=row.revision)
        if not unchanged.release(state=Outgoing.State.DELIVERED, settled_at=Now(), **fields):
            # It was queued again while it was being sent.
            row.still_held.release(**fields)
    elif row.attempts > len(RETRY_SECONDS) or (result.status and route.is_permanent_failure(row, result.status)):
        row.still_held.release(state=Outgoing.State.GIVEN_UP, settled_at=Now(), **fields)
    else:
        pause = RETRY_SECONDS[row.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        row.still_held.release(timedelta(seconds=max(pause, result.retry_after)), **fields)
        if result.is_server_failure:
            _pause(row.destination, max(min(pause, MAX_PAUSE_SECONDS), result.retry_after))


def _pause(destination: Destination, seconds: float) -> None:
    until = Now() + timedelta(seconds=seconds)
    _rows_of(destination).update(paused_until=until)


def _rows_of(destination: Destination) -> QuerySet[Any]:
    return type(destination)._default_manager.filter(pk=destination.pk)
