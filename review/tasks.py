"""Background work of review. As everywhere, a task is only a nudge: the rows say what is to do."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_tasks import task

from classifier.background import Priority, enqueue_once
from classifier.models import Epoch, Mode
from classifier.tallies import keep_up
from classifier.tasks import nudge
from review.benchmark import execution, runs
from review.benchmark.runs import Entry
from review.certification import cycle
from review.gold import gold_labels
from review.models import Run, Snapshot
from review.reports import tallies
from review.specialist import queue_ordering, training


@task()
def run_benchmark(run_pk: int) -> None:
    execution.work_off(run_pk)


@task(priority=Priority.LEISURE)
def learn(due: bool = True) -> None:
    """Train in a process of its own that yields to all others; `due` says to do so only if it still is."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "train", "--due" if due else "--yielding"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - a command of ours


@task(priority=Priority.LEISURE)
def put_in_order() -> None:
    queue_ordering.put_in_order()


@transaction.atomic(durable=True)
def start_benchmark(snapshot: Snapshot, entries: Sequence[Entry], *, by: User | None = None) -> Run:
    """A run that a worker takes up. Raises NothingToRun."""
    run = runs.start(snapshot, entries, by=by)
    _nudge(run)
    return run


@transaction.atomic(durable=True)
def resume_benchmark(run: Run) -> bool:
    """Have a worker go on with a stopped run. Whether it was stopped."""
    stopped = runs.resume(run)
    if stopped:
        _nudge(run)
    return stopped


@task()
def run_certification() -> None:
    """Keep the books of the audits; what may pass by now is judged anew."""
    if cycle.run_certification():
        nudge()


def on_moved(**_signal: Any) -> None:
    """Have the promise kept once new verdicts are there, where audits certify anything."""
    if Epoch.objects.certifying():
        transaction.on_commit(_keep_soon)


def on_found(**_signal: Any) -> None:
    """The same once people have found something in an audit."""
    transaction.on_commit(_keep_soon)


def _keep_soon() -> None:
    enqueue_once(run_certification)


def _nudge(run: Run) -> None:
    """Once the run is there for a worker to see."""
    transaction.on_commit(partial(run_benchmark.enqueue, run.pk))


def sweep() -> None:
    """Make gold labels of what was decided, have them learned, take up runs that a killed process left, and
    count.
    """
    gold_labels.gather(most_turns=1)
    if training.is_due():
        enqueue_once(learn)
    if queue_ordering.is_due():
        enqueue_once(put_in_order)
    if Epoch.objects.running().filter(mode=Mode.CERTIFIED).exists():
        _keep_soon()
    for run_pk in Run.objects.waiting().values_list("pk", flat=True):
        enqueue_once(run_benchmark, run_pk)
    keep_up(tallies.SOURCES)
