"""Export the evidence as JSON Lines: accuracy targets, draws, audits, decisions and certificates.

It contains no ticket texts and no names of people.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from classifier.models import AuditDraw, Ticket
from review.certification.evidence_ledger import was_wrong
from review.models import CarriedAudit, Certificate, Decision, Ledger

BATCH_SIZE = 500


def evidence_lines(ledgers: Iterable[Ledger]) -> Iterator[dict[str, Any]]:
    """For each ledger: its terms, its evidence in the order in which it counts, and its certificates."""
    for ledger in ledgers:
        yield _ledger(ledger)
        yield from (_carried(ledger, record) for record in _carried_audits(ledger))
        yield from _draws(ledger)
        yield from (_certificate(record) for record in ledger.certificates.order_by("pk"))


def json_lines(ledgers: Iterable[Ledger]) -> Iterator[str]:
    """`evidence_lines` as JSON Lines."""
    for line in evidence_lines(ledgers):
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _ledger(ledger: Ledger) -> dict[str, Any]:
    epoch = ledger.epoch
    return {
        "kind": "ledger",
        "ledger": ledger.pk,
        "epoch": epoch.pk,
        "model": str(epoch.language_model),
        "contract": epoch.contract.digest,
        "scorer": epoch.scorer_id,
        # The seed of a running epoch would tell which tickets will be audited.
        "seed": epoch.seed if epoch.ended_at else None,
        "seed_sha256": hashlib.sha256(epoch.seed.encode()).hexdigest(),
        "about": ledger.about,
        "target": ledger.target,
        "error": ledger.error,
        "target_risk": ledger.target_risk,
        "risk": ledger.risk,
        "claim": ledger.claim,
        "grid": ledger.grid,
        "coverage": ledger.coverage,
        "opened_at": _time(ledger.opened_at),
        "closed_at": _time(ledger.closed_at),
    }


def _carried_audits(ledger: Ledger) -> Iterator[CarriedAudit]:
    return ledger.carried.select_related("audit__draw").order_by("audit__draw").iterator(BATCH_SIZE)


def _carried(ledger: Ledger, audit: CarriedAudit) -> dict[str, Any]:
    return {
        "kind": "carried",
        "ledger": ledger.pk,
        "audit": audit.audit_id,
        "value": audit.value,
        "wrong": audit.wrong,
        "repeat": audit.audit.draw.repeat,
        "category": audit.category_id,
    }


def _draws(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The draws with people's decisions: three queries per batch. Those of sealed tickets name no ticket."""
    draws = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id).order_by("pk")
    draws = draws.select_related("audit", "score", "verdict__prediction")
    after = 0
    while part := list(draws.filter(pk__gt=after)[:BATCH_SIZE]):
        after = part[-1].pk
        pks = [draw.verdict.ticket_id for draw in part if draw.audited and draw.verdict]
        sealed = set(Ticket.objects.sealed().filter(pk__in=pks).values_list("pk", flat=True))
        decisions = _decisions_by_ticket([pk for pk in pks if pk not in sealed])
        for draw in part:
            line = _draw(ledger, draw, decisions)
            yield line | dict.fromkeys(_SEALED, None) if draw.verdict.ticket_id in sealed else line


_SEALED = ("ticket", "text_sha256", "category", "sentiment", "scores", "signals", "auto_accepted")


def _draw(ledger: Ledger, draw: AuditDraw, decisions: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    audit = getattr(draw, "audit", None)
    right: tuple[bool | None, bool | None] = (audit.category_right, audit.sentiment_right) if audit else (None, None)
    return {
        "kind": "draw",
        "ledger": ledger.pk,
        "draw": draw.pk,
        **_prediction_fields(draw),
        "value": draw.value,
        "certified_threshold": draw.certified_threshold,
        "audits_from": draw.audits_from,
        "floor": draw.floor,
        "share": draw.share,
        "number": draw.number,
        "audited": draw.audited,
        "repeat": draw.repeat,
        "wrong": was_wrong(ledger.about, *right),
        "category_right": right[0],
        "sentiment_right": right[1],
        "flaw": audit.flaw if audit else "",
        "held_out": audit.held_out if audit else None,
        "judged_at": _time(audit.judged_at) if audit else None,
        "decisions": decisions.get(draw.verdict.ticket_id, []),
    }


def _prediction_fields(draw: AuditDraw) -> dict[str, Any]:
    verdict, score = draw.verdict, draw.score
    prediction = verdict.prediction
    assert prediction is not None  # noqa: S101 - only predictions are scored, and only what is scored is drawn
    return {
        "ticket": verdict.ticket_id,
        "text_sha256": score.digest,
        "category": prediction.category_id,
        "sentiment": prediction.sentiment_id,
        "scores": {"category": score.category, "sentiment": score.sentiment, "both": score.both},
        "signals": score.signals,
        "auto_accepted": verdict.auto_accepted,
    }


def _decisions_by_ticket(ticket_pks: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Decisions by ticket, oldest first; reviewers by key."""
    by_ticket: dict[int, list[dict[str, Any]]] = {}
    for decision in Decision.objects.filter(ticket__in=ticket_pks).order_by("pk"):
        by_ticket.setdefault(decision.ticket_id, []).append(
            {
                "decision": decision.pk,
                "reviewer": decision.reviewer_id,
                "at": _time(decision.created_at),
                "verdict": decision.verdict,
                "blind": decision.blind,
                "purpose": decision.purpose,
                "category": decision.category_id,
                "sentiment": decision.sentiment_id,
                "undoes": decision.undoes_id,
            }
        )
    return by_ticket


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "kind": "certificate",
        "ledger": certificate.ledger_id,
        "certificate": certificate.pk,
        "threshold": certificate.threshold,
        "coverage": certificate.coverage,
        "audits": certificate.audits,
        "errors": certificate.errors,
        "until": certificate.until,
        "granted_at": _time(certificate.granted_at),
        "ended_at": _time(certificate.ended_at),
        "ended_by": certificate.ended_by,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment else None
