"""Background tasks of the specialist."""

import subprocess
import sys

from django.conf import settings
from django_tasks import task

from classifier.background import Priority
from review.specialist import queue_ordering

LONGEST_SECONDS = 3 * 3_600
"""A training that takes longer hangs; it is ended, and the next one is due as before."""


@task(priority=Priority.LOW)
def train_specialist(due: bool = True) -> None:
    """Train in a separate low-priority process; with `due` only if training is still due."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "train", "--due" if due else "--yielding"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=LONGEST_SECONDS)  # noqa: S603 - a command of ours


@task(priority=Priority.LOW)
def reorder_queue() -> None:
    queue_ordering.reorder_queue()
