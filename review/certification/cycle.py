"""One turn of keeping the promise: alarms, books, what may pass now, and a better scorer. As everywhere, whoever calls
is only a nudge: the rows say what is to do.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from classifier.leases import leases
from classifier.models import Epoch, Gate, GateMode, Lease
from review.certification import alarm_emails, alarms, certificates, epoch_opening, scorer_training
from review.models import AccuracyTarget, Certificate, Ledger


def run_certification() -> bool:
    """Bring everything up to date, unless somebody is at it. Returns whether tickets wait to be judged anew, because
    they may pass by now.
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
    alarms.update_alarm(ledger.pk)
    certificates.update_certificate(ledger.pk)
    alarm_emails.send_pending()
    epoch.refresh_from_db()
    if epoch.ended_at is None:
        scorer_training.train_scorer(epoch, ledger, accuracy_target, lease)
    return certificates.rejudge_waiting(epoch) > 0


@transaction.atomic(durable=True)
def _close_ended_ledgers() -> None:
    """Where the gate goes by something else now, or an epoch was replaced, its certificate is not in force any more."""
    running = Epoch.objects.running().filter(mode=GateMode.CERTIFIED)
    if Gate.objects.filter(mode=GateMode.CERTIFIED).exists():
        ended = Ledger.objects.filter(closed_at=None, epoch__ended_at__isnull=False)
    else:
        ended = Ledger.objects.filter(closed_at=None)
    epoch_opening.close_ledgers(ended.values_list("pk", flat=True), Certificate.End.CHANGED)
    if Gate.objects.exclude(mode=GateMode.CERTIFIED).exists():
        running.update(ended_at=timezone.now(), passes_from=None)
