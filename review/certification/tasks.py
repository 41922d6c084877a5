"""Background work of certification. A task is only a nudge: the rows say what is to do."""

from typing import Any

from django.db import transaction
from django_tasks import task

from classifier.background import enqueue_once
from classifier.models import Epoch
from classifier.tasks import enqueue_classification
from review.certification import cycle


@task()
def run_certification() -> None:
    """Bring the evidence up to date; tickets that a new threshold is about are judged again."""
    if cycle.run_certification():
        enqueue_classification()


def run_certification_soon() -> None:
    enqueue_once(run_certification)


def certify_after_state_change(**_signal: Any) -> None:
    """Run certification once new verdicts are there, where audits certify anything."""
    if Epoch.objects.certifying():
        transaction.on_commit(run_certification_soon)


def certify_after_finding(**_signal: Any) -> None:
    """Run certification once an audit has been answered."""
    transaction.on_commit(run_certification_soon)
