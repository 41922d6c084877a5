"""Background work of review. As everywhere, a task is only a nudge: the rows say what is to do."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_tasks import task

from . import benchmark, gold
from .benchmark import Entry
from .learning import ordering, training
from .models import Run, Snapshot


@task()
def run_benchmark(run_pk: int) -> None:
    benchmark.work_off(run_pk)


@task()
def learn(due: bool = True) -> None:
    """Train in a process of its own that yields to all others; `due` says to do so only if it still is."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "train", "--due" if due else "--yielding"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - a command of ours


@task()
def put_in_order() -> None:
    ordering.put_in_order()


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
    """Make gold labels of what was decided, have them learned, and take up runs that a killed process left."""
    gold.gather()
    if training.is_due():
        learn.enqueue()
    if ordering.is_due():
        put_in_order.enqueue()
    for run_pk in Run.objects.waiting().values_list("pk", flat=True):
        run_benchmark.enqueue(run_pk)
