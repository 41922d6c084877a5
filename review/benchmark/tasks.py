"""Background tasks of benchmark runs."""

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
    """Start a run in a worker. Raises NothingToRun."""
    run = runs.start_run(snapshot, entries, by=by)
    _enqueue_on_commit(run)
    return run


@transaction.atomic(durable=True)
def resume_benchmark(run: Run) -> bool:
    """Resume a stopped run in a worker. Returns whether it was stopped."""
    stopped = runs.resume_run(run)
    if stopped:
        _enqueue_on_commit(run)
    return stopped


def _enqueue_on_commit(run: Run) -> None:
    transaction.on_commit(partial(run_benchmark.enqueue, run.pk))
