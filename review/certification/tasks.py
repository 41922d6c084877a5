"""Background tasks of certification. A task carries no data: the tables say what is to be done."""

from typing import Any

from django.db import transaction
from django_tasks import task

from classifier.background import enqueue_once
from classifier.models import Epoch
from classifier.tasks import enqueue_classification
from review.certification import cycle


@task()
def run_certification() -> None:
    """Run a cycle of certification, and classification for tickets sent back to the gate."""
    if cycle.run_certification():
        enqueue_classification()


def run_certification_soon() -> None:
    enqueue_once(run_certification)


def certify_after_state_change(**_signal: Any) -> None:
    """Run certification after new verdicts, if an epoch is certifying."""
    if Epoch.objects.certifying():
        transaction.on_commit(run_certification_soon)


def certify_after_finding(**_signal: Any) -> None:
    """Run certification after an answered audit."""
    transaction.on_commit(run_certification_soon)
