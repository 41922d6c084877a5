"""Progress of benchmark runs and their contenders."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Count, Q, Sum

from review.benchmark.formatting import add_providers_to_equal_names, contenders_with_names
from review.benchmark.runs import Progress
from review.models import Contender, Result, Run


class ContenderProgress(NamedTuple):
    contender: Contender
    progress: Progress
    failed: int
    cost: float


class RunProgress:
    """Progress of an unfinished run and its contenders (two queries)."""

    def __init__(self, run: Run) -> None:
        self.run, self.contenders = run, contenders_with_names(run)
        rows = Result.objects.filter(contender__run=run).order_by().values_list("contender")
        counts = rows.annotate(Count("pk"), failed=Count("pk", filter=~Q(failure="")), cost=Sum("cost"))
        known = {pk: (done, failed, cost) for pk, done, failed, cost in counts}
        self.rows = []
        for contender in self.contenders:
            done, failed, cost = known.get(contender.pk, (0, 0, 0))
            self.rows.append(ContenderProgress(contender, Progress(done, run.items_count), failed, float(cost)))

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
    """None for a finished run."""


def list_runs(runs: Iterable[Run]) -> list[RunListItem]:
    """Runs with their contenders, and the progress of unfinished ones (two queries)."""
    runs = list(runs)
    parts: dict[int, list[Contender]] = {}
    for contender in Contender.objects.filter(run__in=runs).select_related("language_model__provider").defer("figures"):
        parts.setdefault(contender.run_id, []).append(contender)
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
