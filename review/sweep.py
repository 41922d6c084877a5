"""Resumes background work every few seconds, so that lost, repeated or late tasks do no harm."""

from classifier.background import enqueue_once
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
    gold_labels.collect_from_decisions(most_turns=1)
    if training.is_due():
        enqueue_once(train_specialist)
    if queue_ordering.is_due():
        enqueue_once(reorder_queue)
    if Epoch.objects.running().filter(mode=GateMode.CERTIFIED).exists():
        run_certification_soon()
    for run_pk in Run.objects.waiting().values_list("pk", flat=True):
        enqueue_once(run_benchmark, run_pk)
    for import_pk in LabelImport.objects.waiting().values_list("pk", flat=True):
        enqueue_once(run_label_import, import_pk)
    update_tallies(tallies.SOURCES)
