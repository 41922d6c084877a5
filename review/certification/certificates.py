"""Grant and end certificates, and pass them on to the gate through its epoch."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from classifier.integrations.webhooks import events
from classifier.models import AuditDraw, Epoch, Ticket
from classifier.models.outbox import EventKind
from classifier.pipeline import incident_guard
from review.certification import evidence_ledger
from review.certification.sequential_test import SequentialTest, audit_share
from review.models import AccuracyTarget, Alarm, Assignment, Audit, Certificate, Decision, Ledger

BATCH_SIZE = 500
"""Tickets rejudged per transaction."""


@transaction.atomic(durable=True)
def update_certificate(ledger_pk: int, *, suspected: bool) -> SequentialTest | None:
    """Bring the ledger, its certificate and the gate up to date. Returns None if the ledger was closed meanwhile.

    If errors are `suspected` to have become more frequent, every ticket is audited. While an alarm is open nothing is
    auto-accepted, whatever is certified. Locks the ledger first and the epoch, which the gate waits for, last.
    """
    ledger = Ledger.objects.select_for_update(of=("self",)).filter(pk=ledger_pk, closed_at=None).first()
    if ledger is None:
        return None
    test = evidence_ledger.update_ledger(ledger)
    _grant_or_end(ledger, test)
    epoch = Epoch.objects.select_for_update(of=("self",)).get(pk=ledger.epoch_id)
    suspended = Alarm.objects.filter(epoch=epoch, state=Alarm.State.OPEN).exists()
    _update_gate(epoch, None if suspended else test.threshold, test, suspected=suspected)
    return test


def _grant_or_end(ledger: Ledger, test: SequentialTest) -> None:
    """Grant a certificate for the current threshold, and end one that differs from it."""
    current = ledger.certificates.filter(ended_at=None).first()
    if current and current.threshold != test.threshold:
        corrected = test.threshold is None or test.threshold > current.threshold
        end_certificate(current, Certificate.End.CORRECTED if corrected else Certificate.End.EXTENDED)
    if test.threshold is not None and (current is None or current.threshold != test.threshold):
        audits, errors = audit_counts(ledger, test.threshold)
        granted = Certificate.objects.create(
            ledger=ledger,
            threshold=test.threshold,
            coverage=ledger.coverage[test.certified - 1],
            audits=audits,
            errors=errors,
            until=_last_draw(ledger),
        )
        events.publish(EventKind.GRANTED, _payload(granted))


def _last_draw(ledger: Ledger) -> int:
    draws = AuditDraw.objects.filter(epoch=ledger.epoch_id).order_by("-pk")
    return draws.values_list("pk", flat=True).first() or 0


def audit_counts(ledger: Ledger, threshold: float) -> tuple[int, int]:
    """How many audits of tickets that score at least the threshold have been answered, and how many found an error."""
    evidence = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id, value__gte=threshold)
    judged = Audit.objects.judged().filter(draw__in=evidence)
    errors = (
        judged.filter(category_right=False)
        if ledger.about == "category"
        else judged.exclude(category_right=True, sentiment_right=True)
    )
    carried = ledger.carried.filter(value__gte=threshold)
    return judged.count() + carried.count(), errors.count() + carried.filter(wrong=True).count()


def end_certificate(certificate: Certificate, reason: Certificate.End) -> None:
    """End the certificate; a webhook event announces it unless a lower threshold replaces it."""
    in_force = Certificate.objects.filter(pk=certificate.pk, ended_at=None)
    if in_force.update(ended_at=timezone.now(), ended_by=reason) and reason != Certificate.End.EXTENDED:
        events.publish(EventKind.REVOKED, {**_payload(certificate), "reason": reason.value})


def _payload(certificate: Certificate) -> dict[str, Any]:
    """The payload of webhook events about a certificate."""
    ledger = certificate.ledger
    return {
        "certificate": certificate.pk,
        "model": ledger.epoch.language_model.name,
        "about": ledger.about,
        "target": ledger.target,
        "risk": ledger.target_risk,
        "threshold": certificate.threshold,
        "coverage": certificate.coverage,
        "audits": certificate.audits,
        "errors": certificate.errors,
    }


def _update_gate(epoch: Epoch, threshold: float | None, test: SequentialTest, *, suspected: bool) -> None:
    target = AccuracyTarget.current()
    draws = AuditDraw.objects.filter(epoch__mode=epoch.mode, epoch__language_model=epoch.language_model_id)
    usual = audit_share(draws[:10_000].count(), target.early_share, target.late_share)
    values = {
        "certified_threshold": threshold,
        "audits_from": test.audits_from,
        "audit_share": 1.0 if suspected else usual,
    }
    if any(getattr(epoch, name) != value for name, value in values.items()):
        Epoch.objects.filter(pk=epoch.pk).update(**values)


def rejudge_waiting(epoch: Epoch) -> int:
    """Send tickets that could be auto-accepted by now, and that no one has started to review, back to the gate: those
    that wait for an audit, and those of bursts that people have found right. Returns how many; at most BATCH_SIZE each.

    Their draw is voided and a new one made. That biases nothing: whether someone has started on a ticket does not
    depend on whether its answer is right.
    """
    if epoch.certified_threshold is None:
        return 0
    waiting = Audit.objects.pending().filter(
        draw__in=AuditDraw.objects.evidence().filter(epoch=epoch, value__gte=epoch.certified_threshold),
        draw__verdict__auto_accepted=False,
    )
    pks = list(waiting.order_by("draw").values_list("ticket", flat=True)[:BATCH_SIZE])
    pks += incident_guard.released(epoch, BATCH_SIZE)
    return _rejudge(epoch, pks) if pks else 0


@transaction.atomic(durable=True)
def _rejudge(epoch: Epoch, ticket_pks: list[int]) -> int:
    waiting = (
        Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).filter(pk__in=ticket_pks).select_for_update().order_by("pk")
    )
    locked = list(waiting.values_list("pk", flat=True))
    begun = set(Decision.objects.filter(ticket__in=locked).values_list("ticket", flat=True))
    begun |= set(Assignment.objects.filter(ticket__in=locked, reviewer__isnull=False).values_list("ticket", flat=True))
    untouched = [pk for pk in locked if pk not in begun]
    AuditDraw.objects.filter(epoch=epoch, verdict__ticket__in=untouched).update(void=True)
    Audit.objects.pending().filter(epoch=epoch, ticket__in=untouched).delete()
    Assignment.objects.open().filter(ticket__in=untouched).delete()
    Ticket.objects.filter(pk__in=untouched).release(state=Ticket.State.NEW, sealed=False, attempts=0, bulk=True)
    return len(untouched)
