"""What is owed to others' servers is sent: claimed, sent without a transaction, and settled by how it went.

A claim is a time, as it is for tickets: of a worker that dies it runs out, and the row is sent again, so a receiver may
see it twice. Each destination has its turn, so one that hangs holds up only itself, and is then left alone for a while.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.request import Request

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from classifier.integrations.http_request import Outcome, call
from classifier.models.outbox import Destination, Outgoing
from classifier.pipeline.heartbeat import beating
from classifier.security.secrets_from_env import Missing

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
AT_ONCE = 8
"""Rows of one destination that are sent at a time; their order is kept no better than that."""
THREADS = 16
PAUSES = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200)
"""Seconds before each further try, about; after the last it is given up."""
LONGEST_REST = 60.0
"""Seconds that a destination is left alone after a fault, unless it asks for more."""
LONGEST_RETRY_AFTER = 86_400.0


class Going(NamedTuple):
    """What is to be sent for a row (None: nothing has changed), and what is put down of it once it has gone."""

    request: Request | None
    leaves: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One kind of rows that go out.

    `going` says what is to be sent, reading where it must; it raises Missing. `is_final` says of a refusal's status
    whether trying again is of no use.
    """

    rows: type[Outgoing]
    going: Callable[[Any], Going]
    is_final: Callable[[Any, int], bool]

    def awake(self) -> list[Destination]:
        """The active destinations that something is due for and that are not left alone (one query)."""
        destinations: QuerySet[Any] = self.rows.destination.field.related_model._default_manager.all()
        due = self.rows.objects.due().filter(destination=OuterRef("pk"))
        # One probe of the index for each destination; joined, all that is due would be read.
        probe = Exists(due[:1])
        rested = Q(rests_until=None) | Q(rests_until__lte=timezone.now())
        return list(destinations.filter(rested, probe, active=True))


@dataclass(slots=True)
class _Claimed:
    route: Route
    row: Any
    going: Going = field(default=Going(None))
    settled: bool = False

    @property
    def mine(self) -> QuerySet[Any]:
        """The row, for as long as nobody else has claimed it."""
        return self.route.rows.objects.waiting().filter(pk=self.row.pk, attempts=self.row.attempts)


def work_off(routes: Sequence[Route]) -> bool:
    """Send one batch of what is due. Returns whether there may be more."""
    batches = [_claim(route, destination) for route in routes for destination in route.awake()]
    claimed = [one for batch in batches for one in batch]
    if claimed:
        with _kept(claimed):
            for one, outcome in _sent(claimed):
                _settle(one, outcome)
    return any(len(batch) == AT_ONCE for batch in batches)


def is_due(routes: Sequence[Route]) -> bool:
    return any(route.awake() for route in routes)


@transaction.atomic(durable=True)
def _claim(route: Route, destination: Destination) -> list[_Claimed]:
    """Take what is due for a destination; two callers never get the same row, as with tickets."""
    due = route.rows.objects.due().filter(destination=destination).select_for_update(skip_locked=True)
    rows = list(due.order_by("available_at", "pk")[:AT_ONCE])
    route.rows.objects.filter(pk__in=[row.pk for row in rows]).update(
        available_at=timezone.now() + LEASE, attempts=F("attempts") + 1
    )
    for row in rows:
        row.destination, row.attempts = destination, row.attempts + 1
    return [_Claimed(route, row) for row in rows]


def _kept(claimed: Sequence[_Claimed]) -> AbstractContextManager[None]:
    def renew() -> None:
        for one in claimed:
            if not one.settled:
                one.mine.update(available_at=timezone.now() + LEASE)

    return beating(renew, LEASE)


def _sent(claimed: Sequence[_Claimed]) -> Iterator[tuple[_Claimed, Outcome]]:
    """Each as soon as it is known how it went."""
    with ThreadPoolExecutor(THREADS) as threads:
        under_way = {}
        for one in claimed:
            if hindrance := _hindrance(one):
                yield one, Outcome(error=hindrance)
            elif one.going.request is None:
                yield one, Outcome()
            else:
                under_way[threads.submit(call, one.going.request)] = one
        for done in as_completed(under_way):
            yield under_way[done], done.result()


def _hindrance(one: _Claimed) -> str:
    """Put together what is to be sent; why that cannot be, or nothing."""
    try:
        one.going = one.route.going(one.row)
    except Missing as missing:
        return str(missing)
    except Exception as fault:
        # It must not hold up the others; in the end it is given up like what is refused.
        logger.exception("%s %s cannot be sent.", one.route.rows.__name__, one.row.pk)
        return type(fault).__name__
    return ""


def _settle(one: _Claimed, outcome: Outcome) -> None:
    one.settled = True
    now, row = timezone.now(), one.row
    how = {"status": outcome.status, "error": outcome.error[:300]}
    if outcome.went:
        gone = {**how, **one.going.leaves, "available_at": now}
        if not one.mine.filter(revision=row.revision).update(state=Outgoing.State.DELIVERED, settled_at=now, **gone):
            # Asked for again while it was under way.
            one.mine.update(**gone)
    elif row.attempts > len(PAUSES) or (outcome.status and one.route.is_final(row, outcome.status)):
        one.mine.update(state=Outgoing.State.GIVEN_UP, settled_at=now, **how)
    else:
        pause = PAUSES[row.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        asked_for = min(outcome.retry_after, LONGEST_RETRY_AFTER)
        one.mine.update(available_at=now + timedelta(seconds=max(pause, asked_for)), **how)
        if outcome.is_fault:
            _rest(row.destination, now + timedelta(seconds=max(min(pause, LONGEST_REST), asked_for)))


def _rest(destination: Destination, until: datetime) -> None:
    type(destination)._default_manager.filter(pk=destination.pk).update(rests_until=until)
