"""Resumes background work every few seconds, so that lost, repeated or late tasks do no harm."""

from functools import partial

from classifier.background import enqueue_if, enqueue_once, run_parts
from classifier.ingest import uploads
from classifier.models import Epoch, GateMode
from classifier.tallies import update_tallies
from review.benchmark.tasks import run_benchmark
from review.certification.tasks import run_certification_soon
from review.datasets.tasks import run_label_import
from review.gold import gold_labels
from review.models import LabelImport, Run
from review.reports import tallies
from review.specialist import queue_ordering, training
from review.specialist.tasks import reorder_queue, train_specialist


def sweep() -> None:
    """Collect gold labels, start training, certification and interrupted runs as needed, and update counts."""
    run_parts(
        [
            partial(gold_labels.collect_from_decisions, most_turns=1),
            partial(enqueue_if, training.is_due, train_specialist),
            partial(enqueue_if, queue_ordering.is_due, reorder_queue),
            _certify,
            _resume_runs,
            _resume_label_imports,
            partial(uploads.delete_abandoned, LabelImport.objects.all()),
            partial(update_tallies, tallies.SOURCES),
        ]
    )


def _certify() -> None:
    if Epoch.objects.running().filter(mode=GateMode.CERTIFIED).exists():
        run_certification_soon()


def _resume_runs() -> None:
    for run_pk in Run.objects.waiting().values_list("pk", flat=True):
        enqueue_once(run_benchmark, run_pk)


def _resume_label_imports() -> None:
    for import_pk in LabelImport.objects.waiting().values_list("pk", flat=True):
        enqueue_once(run_label_import, import_pk)
