"""The evidence as lines of JSON: what was promised, every draw with its probability and score, what people found, and
every certificate that was granted on it. Without the tickets' texts and people's names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from classifier.models import AuditDraw
from review.certification.evidence_ledger import was_wrong
from review.models import CarriedAudit, Certificate, Decision, Ledger

BATCH_SIZE = 500


def evidence_lines(ledgers: Iterable[Ledger]) -> Iterator[dict[str, Any]]:
    """Of each ledger what it was opened with, its evidence in the order in which it counts, and its certificates."""
    for ledger in ledgers:
        yield _ledger(ledger)
        yield from (_carried(ledger, one) for one in ledger.carried.order_by("audit__draw").iterator(BATCH_SIZE))
        yield from _draws(ledger)
        yield from (_certificate(one) for one in ledger.certificates.order_by("pk"))


def json_lines(ledgers: Iterable[Ledger]) -> Iterator[str]:
    """The same as JSON Lines."""
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
        "seed": epoch.seed,
        "about": ledger.about,
        "error": ledger.error,
        "promised_risk": ledger.promised_risk,
        "risk": ledger.risk,
        "attempt": ledger.attempt,
        "grid": ledger.grid,
        "coverage": ledger.coverage,
        "opened_at": _time(ledger.opened_at),
        "closed_at": _time(ledger.closed_at),
    }


def _carried(ledger: Ledger, one: CarriedAudit) -> dict[str, Any]:
    return {
        "kind": "carried",
        "ledger": ledger.pk,
        "audit": one.audit_id,
        "value": one.value,
        "wrong": one.wrong,
        "category": one.category_id,
    }


def _draws(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """In chunks, each with what people said of its audits (a query more)."""
    draws = AuditDraw.objects.valid().filter(epoch=ledger.epoch_id).order_by("pk")
    draws = draws.select_related("audit", "score", "verdict__prediction")
    after = 0
    while part := list(draws.filter(pk__gt=after)[:BATCH_SIZE]):
        after = part[-1].pk
        said = _decisions_by_ticket([draw.verdict.ticket_id for draw in part if draw.audited and draw.verdict])
        yield from (_draw(ledger, draw, said) for draw in part)


def _draw(ledger: Ledger, draw: AuditDraw, said: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    audit = getattr(draw, "audit", None)
    found: tuple[bool | None, bool | None] = (audit.category_right, audit.sentiment_right) if audit else (None, None)
    return {
        "kind": "draw",
        "ledger": ledger.pk,
        "draw": draw.pk,
        **_prediction_fields(draw),
        "value": draw.value,
        "passes_from": draw.passes_from,
        "audits_from": draw.audits_from,
        "floor": draw.floor,
        "share": draw.share,
        "number": draw.number,
        "audited": draw.audited,
        "wrong": was_wrong(ledger.about, *found),
        "category_right": found[0],
        "sentiment_right": found[1],
        "flaw": audit.flaw if audit else "",
        "held_out": audit.held_out if audit else None,
        "judged_at": _time(audit.judged_at) if audit else None,
        "decisions": said.get(draw.verdict.ticket_id, []),
    }


def _prediction_fields(draw: AuditDraw) -> dict[str, Any]:
    """What was said of the ticket."""
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
    """By ticket what people decided, oldest first; of people the key."""
    found: dict[int, list[dict[str, Any]]] = {}
    for one in Decision.objects.filter(ticket__in=ticket_pks).order_by("pk"):
        found.setdefault(one.ticket_id, []).append(
            {
                "decision": one.pk,
                "reviewer": one.reviewer_id,
                "at": _time(one.created_at),
                "verdict": one.verdict,
                "blind": one.blind,
                "purpose": one.purpose,
                "category": one.category_id,
                "sentiment": one.sentiment_id,
                "undoes": one.undoes_id,
            }
        )
    return found


def _certificate(one: Certificate) -> dict[str, Any]:
    return {
        "kind": "certificate",
        "ledger": one.ledger_id,
        "certificate": one.pk,
        "passes_from": one.passes_from,
        "coverage": one.coverage,
        "audits": one.audits,
        "errors": one.errors,
        "until": one.until,
        "granted_at": _time(one.granted_at),
        "ended_at": _time(one.ended_at),
        "ended_by": one.ended_by,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment else None
