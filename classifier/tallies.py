"""Counting without scanning: each row is counted once, some time after it came, and the sums are kept.

A row's key is given when it is written and seen by others when that is committed, so the last key at one moment is
only believed SETTLED later: whatever came before it has been committed by then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.utils import timezone

from classifier.models import Failure, Prediction, Tally, TallyProgress, Ticket, Verdict

SETTLED = timedelta(seconds=30)
MOST = 5_000
"""Rows that are counted at once."""
SECONDS = 2.0
"""How long one turn may take; the next one goes on."""

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Of the time that models take, in seconds."""

Counts = dict[tuple[str, ...], float]
"""By what is counted and of what kind, how much of it."""


class CountedTable(NamedTuple):
    """A table whose rows are never changed in what is counted of them, by increasing keys, and the sums over some."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    add_up: Callable[[QuerySet[Any]], Counts]


def update_tallies(sources: Iterable[CountedTable], *, seconds: float = SECONDS) -> None:
    """Count what has come in; what there is no time for now is left to the next turn."""
    until = time.monotonic() + seconds
    for source in sources:
        while count_next_chunk(source) and time.monotonic() < until:
            pass


def count_next_chunk(source: CountedTable, *, most: int = MOST) -> bool:
    """Count the next rows. Returns whether there are more that can be counted now.

    Whoever does the same at the same moment counts nothing twice: the rows belong to who moves the fold on.
    """
    known, _created = TallyProgress.objects.get_or_create(name=source.name)
    if known.until >= known.seen:
        _look(known, source)
        return False
    if known.seen_at and known.seen_at > timezone.now() - SETTLED:
        return False
    keys = source.rows().filter(pk__gt=known.until, pk__lte=known.seen).order_by("pk").values_list("pk", flat=True)
    upper: int = keys[most - 1 : most].first() or known.seen
    _count(known, source, upper)
    return upper < known.seen


def sums() -> dict[tuple[str, ...], float]:
    """All that is counted so far (one query; as many rows as there are kinds of things)."""
    return {tuple(json.loads(key)): value for key, value in Tally.objects.values_list("key", "value")}


def _look(known: TallyProgress, source: CountedTable) -> None:
    latest = source.rows().aggregate(latest=Max("pk"))["latest"] or 0
    if latest > known.until:
        TallyProgress.objects.filter(pk=known.pk, seen=known.seen).update(seen=latest, seen_at=timezone.now())


@transaction.atomic(durable=True)
def _count(known: TallyProgress, source: CountedTable, upper: int) -> None:
    if not TallyProgress.objects.filter(pk=known.pk, until=known.until).update(until=upper):
        return
    found = source.add_up(source.rows().filter(pk__gt=known.until, pk__lte=upper))
    added = {json.dumps(key): value for key, value in found.items() if value}
    before = dict(Tally.objects.filter(fold=known, key__in=added).values_list("key", "value"))
    Tally.objects.bulk_create(
        [Tally(fold=known, key=key, value=before.get(key, 0) + value) for key, value in added.items()],
        update_conflicts=True,
        unique_fields=["fold", "key"],
        update_fields=["value"],
    )


def _received(tickets: QuerySet[Ticket]) -> Counts:
    return {("received",): tickets.count()}


def _predicted(predictions: QuerySet[Prediction]) -> Counts:
    """By model: how many, what they took, and how many were no slower than each bucket says."""
    within = {
        f"within_{at}": Count("pk", filter=Q(latency_ms__lte=bucket * 1_000)) for at, bucket in enumerate(BUCKETS)
    }
    figures: Any = (
        predictions.order_by()
        .values("language_model")
        .annotate(classified=Count("pk"), ms=Sum("latency_ms"), **_taken(), **within)
    )
    return {
        (name, str(row["language_model"])): float(row[name] or 0)
        for row in figures
        for name in row
        if name != "language_model"
    }


def _failed(failures: QuerySet[Failure]) -> Counts:
    counts: Counts = {}
    rows: Any = failures.order_by().values("language_model", "kind").annotate(failed=Count("pk"), **_taken())
    for row in rows:
        counts["failed", str(row["language_model"]), row["kind"]] = row["failed"]
        for name in _taken():
            key = (f"{name}_of_failures", str(row["language_model"]))
            counts[key] = counts.get(key, 0) + float(row[name] or 0)
    return counts


def _taken() -> Mapping[str, Sum]:
    return {name: Sum(F(name)) for name in ("cost", "input_tokens", "output_tokens")}


def _judged(verdicts: QuerySet[Verdict]) -> Counts:
    rows = verdicts.order_by().values_list("auto_accepted", "reason").annotate(number=Count("pk"))
    return {
        ("judged", "auto_accepted" if passed else "needs_review", reason): number for passed, reason, number in rows
    }


SOURCES = (
    CountedTable("tickets", Ticket.objects.all, _received),
    CountedTable("predictions", Prediction.objects.all, _predicted),
    CountedTable("failures", Failure.objects.all, _failed),
    CountedTable("verdicts", Verdict.objects.all, _judged),
)
