"""Background work of review. As everywhere, a task is only a nudge: the rows say what is to do."""

from collections.abc import Sequence
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django_tasks import task

from . import benchmark, gold
from .benchmark import Entry
from .models import Run, Snapshot


@task()
def run_benchmark(run_pk: int) -> None:
    benchmark.work_off(run_pk)


@transaction.atomic(durable=True)
def start_benchmark(snapshot: Snapshot, entries: Sequence[Entry], *, by: User | None = None) -> Run:
    """A run that a worker takes up. Raises NothingToRun."""
    run = benchmark.start(snapshot, entries, by=by)
    _nudge(run)
    return run


@transaction.atomic(durable=True)
def resume_benchmark(run: Run) -> bool:
    """Have a worker go on with a stopped run. Whether it was stopped."""
    stopped = benchmark.resume(run)
    if stopped:
        _nudge(run)
    return stopped


def _nudge(run: Run) -> None:
    """Once the run is there for a worker to see."""
    transaction.on_commit(partial(run_benchmark.enqueue, run.pk))


def sweep() -> None:
    """Make gold labels of what was decided, and take up runs that a killed process left."""
    gold.gather()
    for run_pk in Run.objects.waiting().values_list("pk", flat=True):
        run_benchmark.enqueue(run_pk)
