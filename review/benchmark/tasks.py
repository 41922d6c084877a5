"""Background work on benchmark runs. A task is only a nudge: the rows say what is to do."""

from collections.abc import Sequence
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django_tasks import task

from review.benchmark import execution, runs
from review.benchmark.runs import Entry
from review.models import Run, Snapshot


@task()
def run_benchmark(run_pk: int) -> None:
    execution.execute_run(run_pk)


@transaction.atomic(durable=True)
def start_benchmark(snapshot: Snapshot, entries: Sequence[Entry], *, by: User | None = None) -> Run:
    """Start a run, for a worker to take up. Raises NothingToRun."""
    run = runs.start_run(snapshot, entries, by=by)
    _nudge(run)
    return run


@transaction.atomic(durable=True)
def resume_benchmark(run: Run) -> bool:
    """Have a worker go on with a stopped run. Returns whether it was stopped."""
    stopped = runs.resume_run(run)
    if stopped:
        _nudge(run)
    return stopped


def _nudge(run: Run) -> None:
    """Once the run is there for a worker to see."""
    transaction.on_commit(partial(run_benchmark.enqueue, run.pk))
