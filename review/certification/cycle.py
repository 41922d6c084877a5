"""Run one cycle of certification: alarms, ledger, certificate, e-mails, scorer training and rejudging."""

from django.db import transaction
from django.utils import timezone

from classifier.leases import leases
from classifier.models import Epoch, Gate, GateMode, Lease
from review.certification import alarm_emails, alarms, certificates, epoch_opening, scorer_training
from review.models import AccuracyTarget, Certificate, Ledger


def run_certification() -> bool:
    """Bring certification up to date, unless another process is at it. Returns whether tickets were sent back to the
    gate.
    """
    with leases.hold_named("certification") as lease:
        return lease is not None and _run(lease)


def _run(lease: Lease) -> bool:
    _close_ended_ledgers()
    epoch, accuracy_target = Epoch.objects.certifying(), AccuracyTarget.current()
    if epoch is None:
        return False
    ledger = epoch_opening.open_ledger_for(epoch, accuracy_target) or epoch_opening.open_ledger(epoch, accuracy_target)
    if ledger is None:
        return False
    epoch_opening.settle_carried(ledger)
    suspected = alarms.update_alarm(ledger.pk)
    certificates.update_certificate(ledger.pk, suspected=suspected)
    alarm_emails.send_pending()
    epoch.refresh_from_db()
    if epoch.ended_at is None:
        scorer_training.train_scorer(epoch, ledger, accuracy_target, lease)
    return certificates.rejudge_waiting(epoch) > 0


@transaction.atomic(durable=True)
def _close_ended_ledgers() -> None:
    """Close the ledgers of ended epochs; all of them if the gate no longer uses certificates."""
    running = Epoch.objects.running().filter(mode=GateMode.CERTIFIED)
    if Gate.objects.filter(mode=GateMode.CERTIFIED).exists():
        ended = Ledger.objects.filter(closed_at=None, epoch__ended_at__isnull=False)
    else:
        ended = Ledger.objects.filter(closed_at=None)
    epoch_opening.close_ledgers(ended.values_list("pk", flat=True), Certificate.End.CHANGED)
    if Gate.objects.exclude(mode=GateMode.CERTIFIED).exists():
        running.update(ended_at=timezone.now(), certified_threshold=None)
