"""Progress of benchmark runs and their contenders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Count, Q, Sum

from review.benchmark.formatting import add_providers_to_equal_names, contenders_with_names
from review.benchmark.runs import Progress
from review.models import Contender, Result, Run


class ContenderProgress(NamedTuple):
    """How far a contender is."""

    contender: Contender
    progress: Progress
    failed: int
    cost: float


class RunProgress:
    """A run that has not ended: how far each of its contenders is (two queries)."""

    def __init__(self, run: Run) -> None:
        self.run, self.contenders = run, contenders_with_names(run)
        counts = Result.objects.filter(contender__run=run).order_by().values("contender")
        rows = counts.annotate(done=Count("pk"), failed=Count("pk", filter=~Q(failure="")), cost=Sum("cost"))
        found = {row["contender"]: row for row in rows}
        self.rows = [
            ContenderProgress(
                contender=one,
                progress=Progress(found[one.pk]["done"] if one.pk in found else 0, run.items_count),
                failed=found[one.pk]["failed"] if one.pk in found else 0,
                cost=float(found[one.pk]["cost"]) if one.pk in found else 0.0,
            )
            for one in self.contenders
        ]

    @property
    def overall(self) -> Progress:
        return Progress(sum(row.progress.done for row in self.rows), sum(row.progress.total for row in self.rows))

    @property
    def cost(self) -> float:
        return sum(row.cost for row in self.rows)


class RunListItem(NamedTuple):
    run: Run
    contenders: list[Contender]
    progress: Progress | None
    """None of a run that has ended."""


def list_runs(runs: Iterable[Run]) -> list[RunListItem]:
    """Runs with who takes part, and how far those are that have not ended (two queries)."""
    runs = list(runs)
    parts: dict[int, list[Contender]] = {}
    for one in Contender.objects.filter(run__in=runs).select_related("language_model__provider").defer("figures"):
        parts.setdefault(one.run_id, []).append(one)
    for contenders in parts.values():
        add_providers_to_equal_names(contenders)
    unfinished = [run for run in runs if run.state != Run.State.FINISHED]
    rows = Result.objects.filter(contender__run__in=unfinished).order_by().values_list("contender__run")
    done = dict(rows.annotate(Count("pk"))) if unfinished else {}
    return [
        RunListItem(
            run,
            parts.get(run.pk, []),
            Progress(done.get(run.pk, 0), run.items_count * len(parts.get(run.pk, [])))
            if run.state != Run.State.FINISHED
            else None,
        )
        for run in runs
    ]
