"""How the books of an epoch are opened: with a grid of thresholds, and with audits of earlier epochs by which it can be
judged too. That costs no person's time; a remote model is asked about their tickets, within its budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import Category, ContractVersion, Epoch, LanguageModel, Prediction, Scorer, Sentiment, Ticket
from classifier.models.gate import Criterion
from classifier.pipeline import injection_check, predict, scoring
from classifier.pipeline.predict import TicketOutcome
from review.certification import certificates, evidence_ledger
from review.certification.evidence_ledger import Terms
from review.certification.sequential_test import threshold_grid
from review.models import AccuracyTarget, Alarm, Audit, CarriedAudit, Certificate, Ledger
from review.workflow.audits import is_same_or_below

MIN_SCORES, MAX_SCORES = 100, 500
"""Tickets whose scores make the grid."""
MAX_CARRIED = 2_000
CARRIED_FOR = timedelta(days=180)
"""Audits are evidence for later epochs for so long: what customers write of changes."""


class RescoredAudit(NamedTuple):
    """An earlier audit as the new epoch would have answered and scored."""

    audit: int
    value: float
    wrong: bool
    category: int


class OpeningEvidence(NamedTuple):
    """What the books of an epoch are opened with."""

    grid: list[float]
    coverage: list[float]
    carried: list[RescoredAudit]


def terms_for(accuracy_target: AccuracyTarget) -> Terms:
    return Terms(accuracy_target.error, accuracy_target.risk)


def open_ledger_for(epoch: Epoch, accuracy_target: AccuracyTarget) -> Ledger | None:
    """The open ledger of an epoch, if it is about what is promised now."""
    terms = terms_for(accuracy_target)
    return Ledger.objects.filter(epoch=epoch, closed_at=None, error=terms.error, promised_risk=terms.risk).first()


def open_ledger(epoch: Epoch, accuracy_target: AccuracyTarget) -> Ledger | None:
    """Open the books of an epoch that has none for this promise; None while too few tickets have come for a grid.

    Models are asked before anything is locked.
    """
    earlier = Ledger.objects.filter(epoch=epoch).order_by("-pk").first()
    if earlier:
        # Another promise about the same: the grid stays, so that it does not depend on what was drawn meanwhile.
        return _create_ledger(
            epoch, accuracy_target, OpeningEvidence(earlier.grid, earlier.coverage, _carried_by(earlier))
        )
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    found = opening_evidence(epoch, epoch.scorer)
    return _create_ledger(epoch, accuracy_target, found) if found else None


def opening_evidence(epoch: Epoch, scorer: Scorer) -> OpeningEvidence | None:
    """What the books would be opened with if this scorer decided in the epoch; None where too few tickets have come."""
    values = _recent_scores(epoch, scorer)
    return (
        OpeningEvidence(*threshold_grid(values), rescored_audits(epoch, scorer)) if len(values) >= MIN_SCORES else None
    )


def _carried_by(ledger: Ledger) -> list[RescoredAudit]:
    rows = ledger.carried.order_by("pk").values_list("audit", "value", "wrong", "category")
    return [RescoredAudit(*row) for row in rows]


@transaction.atomic(durable=True)
def _create_ledger(epoch: Epoch, accuracy_target: AccuracyTarget, beginning: OpeningEvidence) -> Ledger:
    """In the order of locks: ledgers, then the epoch."""
    list(Ledger.objects.select_for_update().filter(closed_at=None).order_by("pk").values_list("pk"))
    Epoch.objects.select_for_update(of=("self",)).get(pk=epoch.pk)
    if ledger := open_ledger_for(epoch, accuracy_target):
        return ledger
    close_ledgers(Ledger.objects.filter(closed_at=None).values_list("pk", flat=True), Certificate.End.CHANGED)
    again = bool(beginning.carried) or Ledger.objects.filter(epoch=epoch).exists()
    ledger = evidence_ledger.create_ledger(
        epoch, terms_for(accuracy_target), beginning.grid, beginning.coverage, reuse_count() + 1 if again else 0
    )
    CarriedAudit.objects.bulk_create(
        CarriedAudit(ledger=ledger, audit_id=one.audit, value=one.value, wrong=one.wrong, category_id=one.category)
        for one in beginning.carried
    )
    return ledger


def close_ledgers(ledger_pks: Iterable[int], reason: Certificate.End) -> None:
    """These books are closed, and what they certified is not in force any more; part of a transaction."""
    pks = list(ledger_pks)
    for certificate in Certificate.objects.filter(ledger__in=pks, ended_at=None):
        certificates.end_certificate(certificate, reason)
    Ledger.objects.filter(pk__in=pks, closed_at=None).update(closed_at=timezone.now())


def reuse_count() -> int:
    """How often audits have been used again since all of them were fresh, after the last confirmed alarm."""
    return Ledger.objects.filter(attempt__gt=0, epoch__started_at__gt=_last_alarm()).count()


def _last_alarm() -> datetime:
    confirmed = Alarm.objects.filter(state=Alarm.State.CONFIRMED).order_by("-closed_at")
    return confirmed.values_list("closed_at", flat=True).first() or timezone.now() - timedelta(days=36_500)


def _recent_scores(epoch: Epoch, scorer: Scorer) -> list[float]:
    """Of the latest tickets that this model answered under this contract and that are no evidence in this epoch."""
    evidence = Q(verdicts__audit_draw__epoch=epoch) | Q(audits__held_out=True)
    said = Prediction.objects.filter(
        language_model=epoch.language_model, contract=epoch.contract, version=epoch.version_id
    )
    latest = said.order_by("-pk").values_list("ticket", flat=True)[:MAX_SCORES]
    tickets = list(Ticket.objects.filter(pk__in=list(latest)).exclude(evidence))
    return [value for _ticket, value, _said in _scored_predictions(epoch, scorer, tickets, ask=False)]


def rescored_audits(epoch: Epoch, scorer: Scorer) -> list[RescoredAudit]:
    """The audits that were kept from learning, as this scorer sees the answers of this epoch to them, and whether those
    are right under the taxonomy as it is now: a finding whose label is out of use counts against the answer.
    """
    held_out = Audit.objects.judged().filter(
        held_out=True, judged_at__gt=timezone.now() - CARRIED_FOR, draw__void=False
    )
    held_out = held_out.filter(epoch__started_at__gt=_last_alarm())
    if scorer == epoch.scorer:
        # In its own epoch they are evidence as they are.
        held_out = held_out.exclude(epoch=epoch)
    audits = {audit.ticket_id: audit for audit in held_out.select_related("ticket").order_by("-pk")[:MAX_CARRIED]}
    if not audits:
        return []
    parents = dict(Category.objects.values_list("pk", "parent"))
    in_use = set(Category.objects.active().values_list("pk", flat=True))
    tones = set(Sentiment.objects.active().values_list("pk", flat=True))
    return [
        RescoredAudit(
            audits[ticket.pk].pk,
            value,
            bool(audits[ticket.pk].flaw)
            or ticket.category_id not in in_use
            or ticket.sentiment_id not in tones
            or not _is_right(said, ticket, epoch.about, parents),
            said.category_id,
        )
        for ticket, value, said in _scored_predictions(
            epoch, scorer, [audit.ticket for audit in audits.values()], ask=True
        )
    ]


def _is_right(said: Prediction, ticket: Ticket, about: str, parents: dict[int, int | None]) -> bool:
    category = is_same_or_below(said.category_id, ticket.category_id, parents)
    return category and (about == Criterion.CATEGORY or said.sentiment_id == ticket.sentiment_id)


def _scored_predictions(
    epoch: Epoch, scorer: Scorer, tickets: Sequence[Ticket], *, ask: bool
) -> list[tuple[Ticket, float, Prediction]]:
    """Tickets with the value of the answer's score, as the epoch's models answer now; asked where they have not been
    and `ask` says so. What no model can answer is left out, and what may have been dictated: it would have been held.
    """
    version = ContractVersion.objects.get(pk=epoch.contract_id).loaded()
    labelled: list[TicketOutcome] = []
    if epoch.front and epoch.front_threshold is not None:
        in_front = _predictions(epoch, epoch.front, tickets, version, ask=ask)
        sure = {pk: one for pk, one in in_front.items() if one.confidence >= epoch.front_threshold}
        labelled = _without_suspected_injections(tickets, sure, version, scorer)
    answered = {ticket.pk for ticket, _outcome in labelled}
    left = [ticket for ticket in tickets if ticket.pk not in answered]
    labelled += _without_suspected_injections(
        left, _predictions(epoch, epoch.language_model, left, version, ask=ask), version, scorer
    )
    found = scoring.stored_scores(labelled, scorer, version)
    return [(ticket, epoch.value(found[ticket.pk]), said) for ticket, said in labelled if isinstance(said, Prediction)]


def _without_suspected_injections(
    tickets: Sequence[Ticket], said: dict[int, Prediction], version: ContractVersion, scorer: Scorer
) -> list[TicketOutcome]:
    labelled = [TicketOutcome(ticket, said[ticket.pk]) for ticket in tickets if ticket.pk in said]
    dictated = injection_check.suspected_tickets(labelled, version, scorer)
    return [one for one in labelled if one.ticket.pk not in dictated]


def _predictions(
    epoch: Epoch, language_model: LanguageModel, tickets: Sequence[Ticket], version: ContractVersion, *, ask: bool
) -> dict[int, Prediction]:
    if ask:
        outcomes = [one.outcome for group in predict.predict(tickets, language_model, version) for one in group]
        return {one.ticket_id: one for one in outcomes if isinstance(one, Prediction)}
    learns = epoch.version_id if language_model.learning else None
    known = Prediction.objects.filter(
        ticket__in=tickets, language_model=language_model, contract=version, version=learns
    )
    return {one.ticket_id: one for one in known}
