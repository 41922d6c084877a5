"""Leases: an owner and an expiry time in the row, by the database's clock.

If a holder dies, its leases expire. If it stalls, its writes match no row once a successor has taken over, because
each write names the owner.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models.functions import Now

from classifier.leases.heartbeat import beating
from classifier.models.lease import Leasable, LeasableQuerySet, LeasableT, Lease

DURATION = timedelta(seconds=60)


@contextmanager
def hold(*queues: LeasableQuerySet[LeasableT], limit: int = 1, **values: Any) -> Iterator[list[LeasableT]]:
    """Acquire rows, renew them while the block runs, and release those that the block has not released."""
    rows = acquire(*queues, limit=limit, **values)
    with renewing(rows):
        try:
            yield rows
        finally:
            release(rows)


@contextmanager
def hold_named(name: str) -> Iterator[Lease | None]:
    """Hold the lease with this name; None if someone else does."""
    Lease.objects.get_or_create(name=name)
    with hold(Lease.objects.filter(name=name)) as rows:
        yield next(iter(rows), None)


def is_held(name: str) -> bool:
    """Whether anyone holds the lease with this name (one query)."""
    return Lease.objects.filter(name=name).exclude(available_at__lte=Now()).exists()


@transaction.atomic(durable=True)
def acquire(*queues: LeasableQuerySet[LeasableT], limit: int = 1, **values: Any) -> list[LeasableT]:
    """Take up to `limit` free rows, in the order of the queues, and write `values` to them (at most two queries plus
    one per queue). Two callers never get the same row.
    """
    candidates: list[Any] = []
    for queue in queues:
        free = queue.free().select_for_update(skip_locked=True).values_list("pk", flat=True)
        candidates += free[: limit - len(candidates)]
    if not candidates:
        return []
    rows: LeasableQuerySet[LeasableT] = LeasableQuerySet(queues[0].model)
    grant = granted()
    # PostgreSQL has locked these rows and SQLite the whole database; the condition is correct on any database.
    rows.free().filter(pk__in=candidates).update(**grant, **values)
    acquired = rows.filter(owner=grant["owner"]).in_bulk(candidates)
    return [acquired[pk] for pk in candidates if pk in acquired]


def granted() -> dict[str, Any]:
    """Field values that give a row to a new owner."""
    return {"owner": uuid4(), "available_at": Now() + DURATION}


def renewing(rows: Iterable[Leasable]) -> AbstractContextManager[None]:
    """Renew these leases in the background while the block runs."""
    held = list(rows)
    return beating(lambda: renew(held), DURATION)


def renew(rows: Iterable[Leasable]) -> int:
    """Extend these leases. Returns how many are still held; these keep their owner until the transaction ends."""
    return sum(held.update(available_at=Now() + DURATION) for held in _held(rows))


def release(rows: Iterable[Leasable], after: timedelta | None = None, **values: Any) -> int:
    """Release those of these rows that are still held. Returns how many."""
    return sum(held.release(after, **values) for held in _held(rows))


def _held(rows: Iterable[Leasable]) -> Iterator[LeasableQuerySet[Leasable]]:
    """The rows in the database that still have the owner they were read with."""
    keys = defaultdict(list)
    for row in rows:
        keys[type(row), row.owner].append(row.pk)
    for (model, owner), pks in keys.items():
        yield LeasableQuerySet(model).filter(pk__in=pks, owner=owner)
