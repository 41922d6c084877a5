"""Keeps running totals without scanning tables: each row is counted once, shortly after it arrives.

Keys are assigned before they are committed, so the last key is only trusted SETTLED later, when all earlier rows are
visible.
"""

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
CHUNK = 5_000
"""Rows that are counted at once."""
SECONDS = 2.0
"""How long one turn may take; the next one goes on."""

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Of the time that models take, in seconds."""

Counts = dict[tuple[str, ...], float]
"""By what is counted and of what kind, how much of it."""


class CountedTable(NamedTuple):
    """A table to count by increasing key, and how to sum its rows. The counted values never change."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    add_up: Callable[[QuerySet[Any]], Counts]


def update_tallies(sources: Iterable[CountedTable], *, seconds: float = SECONDS) -> None:
    """Count new rows; what does not fit into `seconds` is left for the next call."""
    until = time.monotonic() + seconds
    for source in sources:
        while count_next_chunk(source) and time.monotonic() < until:
            pass


def count_next_chunk(source: CountedTable, *, most: int = CHUNK) -> bool:
    """Count the next rows. Returns whether more can be counted now.

    Concurrent callers count nothing twice: only the one that advances the progress row adds its sums.
    """
    progress, _created = TallyProgress.objects.get_or_create(name=source.name)
    if progress.until >= progress.seen:
        _note_latest_key(progress, source)
        return False
    if progress.seen_at and progress.seen_at > timezone.now() - SETTLED:
        return False
    keys = (
        source.rows().filter(pk__gt=progress.until, pk__lte=progress.seen).order_by("pk").values_list("pk", flat=True)
    )
    upper: int = keys[most - 1 : most].first() or progress.seen
    _count_up_to(progress, source, upper)
    return upper < progress.seen


def sums() -> dict[tuple[str, ...], float]:
    """All totals so far (one query)."""
    return {tuple(json.loads(key)): value for key, value in Tally.objects.values_list("key", "value")}


def _note_latest_key(progress: TallyProgress, source: CountedTable) -> None:
    latest = source.rows().aggregate(latest=Max("pk"))["latest"] or 0
    if latest > progress.until:
        TallyProgress.objects.filter(pk=progress.pk, seen=progress.seen).update(seen=latest, seen_at=timezone.now())


@transaction.atomic(durable=True)
def _count_up_to(progress: TallyProgress, source: CountedTable, upper: int) -> None:
    if not TallyProgress.objects.filter(pk=progress.pk, until=progress.until).update(until=upper):
        return
    counts = source.add_up(source.rows().filter(pk__gt=progress.until, pk__lte=upper))
    added = {json.dumps(key): value for key, value in counts.items() if value}
    before = dict(Tally.objects.filter(fold=progress, key__in=added).values_list("key", "value"))
    Tally.objects.bulk_create(
        [Tally(fold=progress, key=key, value=before.get(key, 0) + value) for key, value in added.items()],
        update_conflicts=True,
        unique_fields=["fold", "key"],
        update_fields=["value"],
    )


def _received(tickets: QuerySet[Ticket]) -> Counts:
    return {("received",): tickets.count()}


def _by_model(predictions: QuerySet[Prediction]) -> Counts:
    """Per model: the number of predictions, their usage, and a latency histogram."""
    within = {
        f"within_{at}": Count("pk", filter=Q(latency_ms__lte=bucket * 1_000)) for at, bucket in enumerate(BUCKETS)
    }
    figures: Any = (
        predictions.order_by()
        .values("language_model")
        .annotate(classified=Count("pk"), repaired=Count("pk", filter=Q(repaired=True)), ms=Sum("latency_ms"))
        .annotate(**_usage_sums(), **within)
    )
    return {
        (name, str(row["language_model"])): float(row[name] or 0)
        for row in figures
        for name in row
        if name != "language_model"
    }


def _by_failure(failures: QuerySet[Failure]) -> Counts:
    counts: Counts = {}
    rows: Any = failures.order_by().values("language_model", "kind").annotate(failed=Count("pk"), **_usage_sums())
    for row in rows:
        counts["failed", str(row["language_model"]), row["kind"]] = row["failed"]
        for name in _usage_sums():
            key = (f"{name}_of_failures", str(row["language_model"]))
            counts[key] = counts.get(key, 0) + float(row[name] or 0)
    return counts


def _usage_sums() -> Mapping[str, Sum]:
    return {name: Sum(F(name)) for name in ("cost", "input_tokens", "output_tokens")}


def _by_verdict(verdicts: QuerySet[Verdict]) -> Counts:
    rows = verdicts.order_by().values_list("auto_accepted", "reason").annotate(number=Count("pk"))
    return {
        ("judged", "auto_accepted" if passed else "needs_review", reason): number for passed, reason, number in rows
    }


SOURCES = (
    CountedTable("tickets", Ticket.objects.all, _received),
    CountedTable("predictions", lambda: Prediction.objects.filter(first=None), _by_model),
    CountedTable("failures", Failure.objects.all, _by_failure),
    CountedTable("verdicts", Verdict.objects.all, _by_verdict),
)
