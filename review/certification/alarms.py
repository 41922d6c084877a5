"""Raise, confirm and clear alarms.

A change across all tickets suspends the certificate: nothing is auto-accepted, and every ticket that would have been
is audited until the audits clear or confirm the alarm. Too many errors among audits revoke the certificate at once.
"""

from collections.abc import Iterator, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from classifier.integrations.webhooks import events
from classifier.models import AuditDraw, Epoch, Ticket
from classifier.models.outbox import EventKind
from classifier.scoring.signals import Signals
from review.certification import drift, epoch_opening
from review.certification.drift import DriftMonitor, Observation
from review.certification.evidence_ledger import EvidenceDraw, ledger_draws
from review.models import Alarm, Audit, Certificate, Ledger

Kind, State = Alarm.Kind, Alarm.State
MAX_AUDITS_CHECKED = 5_000
"""How many of the latest audits are checked for a rise in errors."""
MAX_REOPENED = 1_000
"""The most tickets that a lead can send back to review at a time."""


@transaction.atomic(durable=True)
def update_alarm(ledger_pk: int) -> Alarm | None:
    """Check what has arrived since the last call. Returns the alarm that is open, or was just confirmed or cleared.

    Without a certificate nothing is auto-accepted, so nothing is checked.
    """
    ledger = Ledger.objects.select_for_update(of=("self",)).filter(pk=ledger_pk, closed_at=None).first()
    if ledger is None:
        return None
    certificate = ledger.certificates.filter(ended_at=None).first()
    at = _observe_new_draws(ledger)
    open_alarm = Alarm.objects.filter(epoch=ledger.epoch_id, state=State.OPEN).first()
    if certificate is None:
        return open_alarm
    if open_alarm is None:
        open_alarm = _detect(ledger, certificate, at)
    return _resolve(ledger, certificate, open_alarm) if open_alarm else None


def _observe_new_draws(ledger: Ledger) -> int:
    """Feed new draws to the drift monitor; returns the key of the last one."""
    stored = ledger.drift_monitor
    monitor, at = DriftMonitor.from_json(stored.get("monitor", {})), int(stored.get("at", 0))
    fresh = AuditDraw.objects.valid().filter(epoch=ledger.epoch_id, pk__gt=at).order_by("pk")
    rows = fresh.values_list("pk", "value", "score__signals", "verdict__prediction__category")
    for pk, value, signals, category in rows[:20_000]:
        monitor.observe(observation(value, Signals.from_json(signals), category, ledger.about))
        at = pk
    ledger.drift_monitor = {"monitor": monitor.as_json(), "at": at}
    ledger.save(update_fields=["drift_monitor"])
    return at


def observation(value: float, signals: Signals, category: int, about: str) -> Observation:
    """What the drift monitor sees of an answer."""
    votes = [signals.category.agrees, signals.category.words_agree]
    if about == "both":
        votes += [signals.sentiment.agrees]
    known = [vote for vote in votes if vote is not None]
    closeness = 1.0 if signals.closeness is None else signals.closeness
    return Observation(
        disagrees=sum(not vote for vote in known) / len(known) if known else None,
        uncertainty=1 - value,
        unknown=min(max(1 - closeness, 0.0), 1.0),
        category=category,
    )


def _detect(ledger: Ledger, certificate: Certificate, at: int) -> Alarm | None:
    """Raise an alarm if audits of auto-accepted tickets find too many errors, or if the drift monitor saw a change."""
    latest = Audit.objects.filter(epoch=ledger.epoch_id).order_by("-draw").values_list("draw", flat=True)
    oldest = latest[MAX_AUDITS_CHECKED - 1 : MAX_AUDITS_CHECKED].first() or 1
    audits = list(_answered_audits(ledger, certificate.threshold, after=oldest - 1))
    detector = drift.audit_error_detector([draw.wrong is True for draw in audits], ledger.error)
    change_point = detector.change_point(drift.QUIET_AUDITS)
    if change_point is not None:
        suspect = audits[change_point:]
        figures = {"audits": len(suspect), "errors": sum(draw.wrong is True for draw in suspect)}
        return _raise_alarm(ledger, Kind.ERRORS, since=suspect[0].pk, at=at, figures=figures)
    change = DriftMonitor.from_json(ledger.drift_monitor["monitor"]).change()
    if change is None:
        return None
    kind, ticket = change
    return _raise_alarm(ledger, Kind(kind), since=_draw_number(ledger, ticket), at=at, figures={})


def _draw_number(ledger: Ledger, ticket: int) -> int:
    """The key of the draw at this position in the epoch, counted from 0."""
    draws = AuditDraw.objects.valid().filter(epoch=ledger.epoch_id).order_by("pk").values_list("pk", flat=True)
    return draws[ticket : ticket + 1].first() or 0


def _raise_alarm(ledger: Ledger, kind: Alarm.Kind, *, since: int, at: int, figures: dict[str, int]) -> Alarm:
    """Store the alarm and stop auto-accept."""
    alarm = Alarm.objects.create(epoch_id=ledger.epoch_id, kind=kind, since=since, at=at, figures=figures)
    Epoch.objects.filter(pk=ledger.epoch_id).update(certified_threshold=None)
    events.publish(EventKind.ALARM, {"alarm": alarm.pk, "kind": alarm.kind, "model": ledger.epoch.language_model.name})
    return alarm


def _resolve(ledger: Ledger, certificate: Certificate, alarm: Alarm) -> Alarm:
    """Confirm or clear the alarm once the audits since then settle it."""
    if alarm.kind == Kind.ERRORS:
        return _confirm(ledger, alarm)
    audits = list(_answered_audits(ledger, certificate.threshold, after=alarm.at))
    worse = drift.confirms_change([draw.wrong is True for draw in audits], ledger.error)
    alarm.figures = {"audits": len(audits), "errors": sum(draw.wrong is True for draw in audits)}
    alarm.save(update_fields=["figures"])
    if worse is None:
        return alarm
    return _confirm(ledger, alarm) if worse else _clear(ledger, alarm)


def _confirm(ledger: Ledger, alarm: Alarm) -> Alarm:
    """Revoke the certificate and end the epoch, so that later tickets are judged by new audits only."""
    epoch_opening.close_ledgers([ledger.pk], Certificate.End.ALARM)
    Epoch.objects.filter(pk=ledger.epoch_id).update(ended_at=timezone.now(), certified_threshold=None)
    # The confirmation is e-mailed as well.
    alarm.emailed_at = None
    return _close(alarm, State.CONFIRMED)


def _clear(ledger: Ledger, alarm: Alarm) -> Alarm:
    monitor = DriftMonitor.from_json(ledger.drift_monitor["monitor"])
    monitor.restart()
    ledger.drift_monitor["monitor"] = monitor.as_json()
    ledger.save(update_fields=["drift_monitor"])
    return _close(alarm, State.CLEARED)


def _close(alarm: Alarm, state: Alarm.State) -> Alarm:
    alarm.state, alarm.closed_at = state, timezone.now()
    alarm.save(update_fields=["state", "closed_at", "emailed_at"])
    return alarm


def _answered_audits(ledger: Ledger, threshold: float, after: int = 0) -> Iterator[EvidenceDraw]:
    """Answered audits of tickets that score at least `threshold`, in the order of the draws."""
    for draw in ledger_draws(ledger, after=after, audited_only=True):
        if draw.wrong is not None and draw.value >= threshold:
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
