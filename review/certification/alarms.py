"""Alarms: what is noticed on all tickets, or found by audits, and what follows from it.

Something noticed on all tickets suspends the certificate: nothing passes, and what would have passed is audited, all of
it, until the audits say that all is well or that it is not. Too many errors among audits revoke it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from classifier.integrations.webhooks import events
from classifier.models import AuditDraw, Epoch, Ticket
from classifier.models.outbox import EventKind as Told
from classifier.scoring.signals import Signals
from review.certification import drift, epoch_opening
from review.certification.drift import DriftMonitor, Observation
from review.certification.evidence_ledger import EvidenceDraw, ledger_draws
from review.models import Alarm, Audit, Certificate, Ledger

Kind, State = Alarm.Kind, Alarm.State
MAX_AUDITS_CHECKED = 5_000
"""Of the latest audits so many are looked through for errors that have become more."""
MAX_REOPENED = 1_000
"""Tickets that a lead is offered to look at once more."""


@transaction.atomic(durable=True)
def update_alarm(ledger_pk: int) -> Alarm | None:
    """Look at what has come since the last time. Returns the alarm that is open now, or was confirmed just now.

    Nothing is looked for before something is certified: nothing passes then.
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
    """Show the watch every draw that it has not seen; the key of the last one."""
    stored = ledger.drift_monitor
    seen, at = DriftMonitor.from_json(stored.get("watch", {})), int(stored.get("at", 0))
    fresh = AuditDraw.objects.valid().filter(epoch=ledger.epoch_id, pk__gt=at).order_by("pk")
    rows = fresh.values_list("pk", "value", "score__signals", "verdict__prediction__category")
    for pk, value, signals, category in rows[:20_000]:
        seen.observe(observation(value, Signals.from_json(signals), category, ledger.about))
        at = pk
    ledger.drift_monitor = {"watch": seen.as_json(), "at": at}
    ledger.save(update_fields=["drift_monitor"])
    return at


def observation(value: float, signals: Signals, category: int, about: str) -> Observation:
    """What the watch sees of an answer: its score, its signals and the category that it gave."""
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
    """What the watch has noticed, or the audits of tickets that passed."""
    latest = Audit.objects.filter(epoch=ledger.epoch_id).order_by("-draw").values_list("draw", flat=True)
    oldest = latest[MAX_AUDITS_CHECKED - 1 : MAX_AUDITS_CHECKED].first() or 1
    passed = list(_answered_audits(ledger, certificate.passes_from, after=oldest - 1))
    detector = drift.audit_error_detector([draw.wrong is True for draw in passed], ledger.error)
    since = detector.change_point(drift.QUIET_AUDITS)
    if since is not None:
        found = passed[since:]
        figures = {"audits": len(found), "errors": sum(draw.wrong is True for draw in found)}
        return _raise_alarm(ledger, Kind.ERRORS, since=found[0].pk, at=at, figures=figures)
    noticed = DriftMonitor.from_json(ledger.drift_monitor["watch"]).change()
    if noticed is None:
        return None
    kind, ticket = noticed
    return _raise_alarm(ledger, Kind(kind), since=_draw_number(ledger, ticket), at=at, figures={})


def _draw_number(ledger: Ledger, ticket: int) -> int:
    """The key of the draw that the watch saw at this place, counted from 0."""
    draws = AuditDraw.objects.valid().filter(epoch=ledger.epoch_id).order_by("pk").values_list("pk", flat=True)
    return draws[ticket : ticket + 1].first() or 0


def _raise_alarm(ledger: Ledger, kind: Alarm.Kind, *, since: int, at: int, figures: dict[str, int]) -> Alarm:
    """From now on nothing passes."""
    alarm = Alarm.objects.create(epoch_id=ledger.epoch_id, kind=kind, since=since, at=at, figures=figures)
    Epoch.objects.filter(pk=ledger.epoch_id).update(passes_from=None)
    events.publish(Told.ALARM, {"alarm": alarm.pk, "kind": alarm.kind, "model": ledger.epoch.language_model.name})
    return alarm


def _resolve(ledger: Ledger, certificate: Certificate, alarm: Alarm) -> Alarm:
    """Confirm the alarm, or clear it, once the audits since then say so."""
    if alarm.kind == Kind.ERRORS:
        return _confirm(ledger, alarm)
    burst = list(_answered_audits(ledger, certificate.passes_from, after=alarm.at))
    says = drift.burst_verdict([draw.wrong is True for draw in burst], ledger.error)
    alarm.figures = {"audits": len(burst), "errors": sum(draw.wrong is True for draw in burst)}
    alarm.save(update_fields=["figures"])
    if says is None:
        return alarm
    return _confirm(ledger, alarm) if says else _clear(ledger, alarm)


def _confirm(ledger: Ledger, alarm: Alarm) -> Alarm:
    """The certificate is revoked and the epoch ends: what comes is judged by audits of its own."""
    epoch_opening.close_ledgers([ledger.pk], Certificate.End.ALARM)
    Epoch.objects.filter(pk=ledger.epoch_id).update(ended_at=timezone.now(), passes_from=None)
    # That it is more than a suspicion is news.
    alarm.emailed_at = None
    return _close(alarm, State.CONFIRMED)


def _clear(ledger: Ledger, alarm: Alarm) -> Alarm:
    seen = DriftMonitor.from_json(ledger.drift_monitor["watch"])
    seen.restart()
    ledger.drift_monitor["watch"] = seen.as_json()
    ledger.save(update_fields=["drift_monitor"])
    return _close(alarm, State.CLEARED)


def _close(alarm: Alarm, state: Alarm.State) -> Alarm:
    alarm.state, alarm.closed_at = state, timezone.now()
    alarm.save(update_fields=["state", "closed_at", "emailed_at"])
    return alarm


def _answered_audits(ledger: Ledger, passes_from: float, after: int = 0) -> Iterator[EvidenceDraw]:
    """Audits of what scores high enough to pass, that people have answered, in the order of the draws."""
    for draw in ledger_draws(ledger, after=after, audited_only=True):
        if draw.wrong is not None and draw.value >= passes_from:
            yield draw


def auto_accepted_since(alarm: Alarm) -> Sequence[int]:
    """The tickets that passed since it seems to have changed and that nobody has looked at yet, latest first."""
    draws = AuditDraw.objects.filter(epoch=alarm.epoch_id, pk__gte=alarm.since, audited=False)
    passed = draws.filter(
        verdict__current=True, verdict__auto_accepted=True, verdict__ticket__state=Ticket.State.AUTO_ACCEPTED
    )
    return list(passed.order_by("-pk").values_list("verdict__ticket", flat=True)[:MAX_REOPENED])


def acknowledge(alarm: Alarm, by: User) -> None:
    """Somebody has seen it, so that it is no longer shown to all."""
    Alarm.objects.filter(pk=alarm.pk, seen_by=None).update(seen_by=by)
