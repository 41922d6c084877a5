"""Certificates: granted by the books, written down into the epoch that the gate reads, and ended for a reason."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from classifier.integrations.webhooks import events
from classifier.models import AuditDraw, Epoch, Ticket
from classifier.models.outbox import EventKind
from review.certification import evidence_ledger
from review.certification.sequential_test import SequentialTest, audit_share
from review.models import AccuracyTarget, Alarm, Assignment, Audit, Certificate, Decision, Ledger

FRONTIER = 20
"""Thresholds below what is certified whose tickets are all audited: they wait for people anyway, and tell most."""
BATCH_SIZE = 500
"""Tickets that are let pass in one transaction."""


@transaction.atomic(durable=True)
def update_certificate(ledger_pk: int) -> SequentialTest | None:
    """Count what has come, and have the gate do as the books say. None where the ledger has been closed meanwhile.

    Where an alarm is being looked into, nothing passes whatever the books say. The order of locks is the ledger's, then
    the epoch's, which the gate waits for: it is taken last.
    """
    ledger = Ledger.objects.select_for_update(of=("self",)).filter(pk=ledger_pk, closed_at=None).first()
    if ledger is None:
        return None
    test = evidence_ledger.update_ledger(ledger)
    _grant_or_end(ledger, test)
    epoch = Epoch.objects.select_for_update(of=("self",)).get(pk=ledger.epoch_id)
    suspended = Alarm.objects.filter(epoch=epoch, state=Alarm.State.OPEN).exists()
    _update_gate(epoch, ledger, None if suspended else test.threshold, test)
    return test


def _grant_or_end(ledger: Ledger, test: SequentialTest) -> None:
    """Grant what is certified now, and end what is not any more because audits were corrected."""
    held = ledger.certificates.filter(ended_at=None).first()
    if held and held.passes_from != test.threshold:
        corrected = test.threshold is None or test.threshold > held.passes_from
        end_certificate(held, Certificate.End.CORRECTED if corrected else Certificate.End.EXTENDED)
    if test.threshold is not None and (held is None or held.passes_from != test.threshold):
        audits, errors = audit_counts(ledger, test.threshold)
        granted = Certificate.objects.create(
            ledger=ledger,
            passes_from=test.threshold,
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
    judged = Audit.objects.judged().filter(epoch=ledger.epoch_id, draw__void=False, draw__value__gte=threshold)
    errors = (
        judged.filter(category_right=False)
        if ledger.about == "category"
        else judged.exclude(category_right=True, sentiment_right=True)
    )
    carried = ledger.carried.filter(value__gte=threshold)
    return judged.count() + carried.count(), errors.count() + carried.filter(wrong=True).count()


def end_certificate(certificate: Certificate, reason: Certificate.End) -> None:
    """From now on it is not in force; others are told, unless one that lets more pass takes its place."""
    in_force = Certificate.objects.filter(pk=certificate.pk, ended_at=None)
    if in_force.update(ended_at=timezone.now(), ended_by=reason) and reason != Certificate.End.EXTENDED:
        events.publish(EventKind.REVOKED, {**_payload(certificate), "reason": reason.value})


def _payload(certificate: Certificate) -> dict[str, Any]:
    """A certificate as others are told of it."""
    ledger = certificate.ledger
    return {
        "certificate": certificate.pk,
        "model": ledger.epoch.language_model.name,
        "about": ledger.about,
        "target": round(1 - ledger.error, 6),
        "risk": ledger.promised_risk,
        "passes_from": certificate.passes_from,
        "coverage": certificate.coverage,
        "audits": certificate.audits,
        "errors": certificate.errors,
    }


def _update_gate(epoch: Epoch, ledger: Ledger, passes_from: float | None, test: SequentialTest) -> None:
    place = min((test.certified or 1) - 1 + FRONTIER, len(ledger.grid) - 1)
    accuracy_target = AccuracyTarget.current()
    seen = AuditDraw.objects.filter(epoch__mode=epoch.mode, epoch__language_model=epoch.language_model_id)[
        :10_000
    ].count()
    values = {
        "passes_from": passes_from,
        "audits_from": ledger.grid[place],
        "audit_share": audit_share(seen, accuracy_target.early_share, accuracy_target.late_share),
    }
    if any(getattr(epoch, name) != value for name, value in values.items()):
        Epoch.objects.filter(pk=epoch.pk).update(**values)


def rejudge_waiting(epoch: Epoch) -> int:
    """Have the gate judge anew what waits for an audit that nobody has looked at, though it may pass by now. Returns
    how many tickets; there may be more.

    Its lot is void and it gets another: which tickets have been looked at says nothing of whether they are right.
    """
    if epoch.passes_from is None:
        return 0
    waiting = Audit.objects.pending().filter(
        epoch=epoch, draw__void=False, draw__value__gte=epoch.passes_from, draw__verdict__auto_accepted=False
    )
    pks = list(waiting.order_by("draw").values_list("ticket", flat=True)[:BATCH_SIZE])
    return _rejudge(epoch, pks) if pks else 0


@transaction.atomic(durable=True)
def _rejudge(epoch: Epoch, ticket_pks: list[int]) -> int:
    held = (
        Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).filter(pk__in=ticket_pks).select_for_update().order_by("pk")
    )
    locked = list(held.values_list("pk", flat=True))
    begun = set(Decision.objects.filter(ticket__in=locked).values_list("ticket", flat=True))
    begun |= set(Assignment.objects.filter(ticket__in=locked, reviewer__isnull=False).values_list("ticket", flat=True))
    untouched = [pk for pk in locked if pk not in begun]
    audits = Audit.objects.pending().filter(epoch=epoch, ticket__in=untouched)
    AuditDraw.objects.filter(pk__in=list(audits.values_list("draw", flat=True))).update(void=True)
    audits.delete()
    Assignment.objects.open().filter(ticket__in=untouched).delete()
    Ticket.objects.filter(pk__in=untouched).release(state=Ticket.State.NEW, sealed=False, attempts=0)
    return len(untouched)
