"""Background work. A task is only a nudge: the rows say what is to do, so one lost, doubled or late changes nothing."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from . import pipeline, vectors
from .models import Ticket

KEPT = timedelta(days=1)


@task()
def classify(ticket_pks: list[int]) -> None:
    """Classify a batch of what waits, these tickets first; where more may wait, the next nudge goes out at once."""
    pipeline.work_off(ticket_pks, more_waits=_nudge)


@task()
def encode() -> None:
    """Store vectors of tickets that came in, for a while."""
    vectors.fill()


def _nudge() -> None:
    classify.enqueue([])


def on_arrival(ticket_pks: list[int], **_signal: Any) -> None:
    """Nudge a worker when tickets have come in."""
    classify.enqueue(ticket_pks)


def sweep() -> None:
    """Take up what a killed process left: nudge if a ticket waits or has no vector, and forget tasks that are
    done with.
    """
    if Ticket.objects.waiting().exists():
        classify.enqueue([])
    if vectors.is_behind():
        encode.enqueue()
    old = timezone.now() - KEPT
    DBTaskResult.objects.finished().filter(finished_at__lt=old).delete()
    DBTaskResult.objects.running().filter(started_at__lt=old).delete()
