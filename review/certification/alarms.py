"""Raise, confirm and clear alarms.

A change across all tickets, or more errors among audits than usual, suspend the certificate: nothing is auto-accepted,
and every ticket that would have been is audited until the audits clear or confirm the alarm.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from classifier.integrations.webhooks import events
from classifier.models import AuditDraw, Epoch, Ticket
from classifier.models.outbox import EventKind
from classifier.scoring.signals import Signals
from review.certification import drift, epoch_opening
from review.certification.drift import ChangeDetector, DriftMonitor, Observation
from review.certification.evidence_ledger import EvidenceDraw, ledger_draws
from review.certification.sequential_test import DrawBatch, SequentialTest, risk_for_claim
from review.models import AccuracyTarget, Alarm, Audit, Certificate, Ledger

Kind, State = Alarm.Kind, Alarm.State
MAX_AUDITS_CHECKED = 5_000
"""How many of the latest audits are checked for a rise in errors."""
MAX_CLEARING = 1_000
"""Audits since an alarm after which it is confirmed if they have not cleared it."""
OVERDUE = timedelta(days=1)
"""How old an audit is that counts as an error while nobody has answered it."""
MAX_REOPENED = 1_000
"""The most tickets that a lead can send back to review at a time."""


@transaction.atomic(durable=True)
def update_alarm(ledger_pk: int) -> bool:
    """Check what has arrived since the last call; raise, clear or confirm an alarm. Returns whether audits or tickets
    look like a change, short of an alarm.

    Without a certificate nothing is auto-accepted, so nothing is checked.
    """
    ledger = Ledger.objects.select_for_update(of=("self",)).filter(pk=ledger_pk, closed_at=None).first()
    if ledger is None:
        return False
    certificate = ledger.certificates.filter(ended_at=None).first()
    monitor, at = _observe_new_draws(ledger)
    if certificate is None:
        return False
    open_alarm = Alarm.objects.filter(epoch=ledger.epoch_id, state=State.OPEN).first()
    suspected = False
    if open_alarm is None:
        audits = list(_audits(ledger, certificate.threshold, after=_oldest_checked(ledger)))
        detector = drift.audit_error_detector([draw.wrong is not False for draw in audits], ledger.error)
        suspected = monitor.is_suspicious or drift.are_errors_suspected(detector)
        open_alarm = _detect(ledger, audits, detector, monitor, at)
    if open_alarm:
        _resolve(ledger, certificate, open_alarm)
    return suspected


def _observe_new_draws(ledger: Ledger) -> tuple[DriftMonitor, int]:
    """Feed new draws to the drift monitor; returns it with the key of the last one."""
    stored = ledger.drift_monitor
    monitor, at = DriftMonitor.from_json(stored.get("monitor", {})), int(stored.get("at", 0))
    fresh = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id, pk__gt=at).order_by("pk")
    rows = fresh.values_list("pk", "value", "score__signals", "verdict__prediction__category")
    for pk, value, signals, category in rows[:20_000]:
        monitor.observe(observation(value, Signals.from_json(signals), category, ledger.about))
        at = pk
    ledger.drift_monitor = {"monitor": monitor.as_json(), "at": at}
    ledger.save(update_fields=["drift_monitor"])
    return monitor, at


def observation(value: float, signals: Signals, category: int, about: str) -> Observation:
    """What the drift monitor sees of an answer."""
    votes = [signals.category.agreement, signals.category.words_agree]
    if about == "both":
        votes += [signals.sentiment.agreement]
    known = [vote for vote in votes if vote is not None]
    closeness = 1.0 if signals.closeness is None else signals.closeness
    return Observation(
        disagrees=sum(not vote for vote in known) / len(known) if known else None,
        uncertainty=1 - value,
        unknown=min(max(1 - closeness, 0.0), 1.0),
        category=category,
    )


def _oldest_checked(ledger: Ledger) -> int:
    """The draw after which audits are checked for a rise in errors."""
    latest = Audit.objects.filter(epoch=ledger.epoch_id).order_by("-draw").values_list("draw", flat=True)
    return latest[MAX_AUDITS_CHECKED : MAX_AUDITS_CHECKED + 1].first() or 0


def _detect(
    ledger: Ledger, audits: Sequence[EvidenceDraw], detector: ChangeDetector, monitor: DriftMonitor, at: int
) -> Alarm | None:
    """Raise an alarm if audits of auto-accepted tickets find more errors, or if the drift monitor saw a change."""
    change_point = detector.change_point(drift.QUIET_AUDITS)
    if change_point is not None:
        return _raise_alarm(ledger, Kind.ERRORS, since=audits[change_point].pk, at=at)
    change = monitor.change()
    if change is None:
        return None
    kind, ticket = change
    return _raise_alarm(ledger, Kind(kind), since=_draw_number(ledger, ticket), at=at)


def _draw_number(ledger: Ledger, ticket: int) -> int:
    """The key of the draw at this position in the epoch, counted from 0."""
    draws = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id).order_by("pk").values_list("pk", flat=True)
    return draws[ticket : ticket + 1].first() or 0


def _raise_alarm(ledger: Ledger, kind: Alarm.Kind, *, since: int, at: int) -> Alarm:
    """Store the alarm and stop auto-accept. Clearing it is a claim like a certificate."""
    risk = risk_for_claim(ledger.target_risk, AccuracyTarget.next_claim())
    alarm = Alarm.objects.create(epoch_id=ledger.epoch_id, kind=kind, since=since, at=at, risk=risk)
    Epoch.objects.filter(pk=ledger.epoch_id).update(certified_threshold=None)
    events.publish(EventKind.ALARM, {"alarm": alarm.pk, "kind": alarm.kind, "model": ledger.epoch.language_model.name})
    return alarm


def _resolve(ledger: Ledger, certificate: Certificate, alarm: Alarm) -> None:
    """Clear the alarm by evidence that would grant the certificate; confirm it if audits show too many errors, or if
    MAX_CLEARING of them have not cleared it.
    """
    test = SequentialTest.start([certificate.threshold], ledger.error, alarm.risk)
    test.add(DrawBatch.from_rows([draw.row() for draw in ledger_draws(ledger, after=alarm.at)]))
    answered = [draw for draw in _audits(ledger, certificate.threshold, after=alarm.at) if draw.wrong is not None]
    wrong = [draw.wrong is True for draw in answered]
    alarm.figures = {"audits": len(wrong), "errors": sum(wrong), "needed": test.clean_audits_to_next() or 0}
    alarm.save(update_fields=["figures"])
    if test.certified:
        _clear(ledger, alarm)
    elif drift.exceeds(wrong, ledger.error) or len(wrong) >= MAX_CLEARING:
        _confirm(ledger, alarm)


def _confirm(ledger: Ledger, alarm: Alarm) -> None:
    """Revoke the certificate and end the epoch, so that later tickets are judged by new audits only."""
    epoch_opening.close_ledgers([ledger.pk], Certificate.End.ALARM)
    Epoch.objects.filter(pk=ledger.epoch_id).update(ended_at=timezone.now(), certified_threshold=None)
    # The confirmation is e-mailed as well.
    alarm.emailed_at = None
    _close(alarm, State.CONFIRMED)


def _clear(ledger: Ledger, alarm: Alarm) -> None:
    monitor = DriftMonitor.from_json(ledger.drift_monitor["monitor"])
    monitor.restart()
    ledger.drift_monitor["monitor"] = monitor.as_json()
    ledger.save(update_fields=["drift_monitor"])
    _close(alarm, State.CLEARED)


def _close(alarm: Alarm, state: Alarm.State) -> None:
    alarm.state, alarm.closed_at = state, timezone.now()
    alarm.save(update_fields=["state", "closed_at", "emailed_at"])


def _audits(ledger: Ledger, threshold: float, after: int) -> Iterator[EvidenceDraw]:
    """Audits of tickets that score at least `threshold`, in the order of the draws, that were answered or are overdue;
    of alike tickets only the first and those found wrong.
    """
    overdue = AuditDraw.objects.filter(epoch=ledger.epoch_id, verdict__created_at__lt=timezone.now() - OVERDUE)
    last_overdue = overdue.order_by("-pk").values_list("pk", flat=True).first() or 0
    for draw in ledger_draws(ledger, after=after, audited_only=True):
        counts = draw.pk <= last_overdue if draw.wrong is None else draw.wrong or not draw.repeat
        if counts and draw.value >= threshold:
            yield draw


def auto_accepted_since(alarm: Alarm) -> Sequence[int]:
    """Tickets auto-accepted since the suspected change that no one has reviewed, latest first."""
    draws = AuditDraw.objects.filter(epoch=alarm.epoch_id, pk__gte=alarm.since, audited=False)
    accepted = draws.filter(
        verdict__current=True, verdict__auto_accepted=True, verdict__ticket__state=Ticket.State.AUTO_ACCEPTED
    )
    return list(accepted.order_by("-pk").values_list("verdict__ticket", flat=True)[:MAX_REOPENED])


def acknowledge(alarm: Alarm, by: User) -> None:
    """Mark the alarm as seen, so that it no longer shows as a notice."""
    Alarm.objects.filter(pk=alarm.pk, seen_by=None).update(seen_by=by)
