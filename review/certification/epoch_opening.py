"""Open an epoch's ledger with a grid of thresholds and the audits of earlier epochs.

The epoch's models answer the tickets of those audits again, remote ones within their budget; people review nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from classifier.models import Category, ContractVersion, Epoch, LanguageModel, Prediction, Scorer, Sentiment, Ticket
from classifier.models.gate import Criterion
from classifier.pipeline import answering, injection_check, predict, scoring
from classifier.pipeline.predict import TicketOutcome
from review.certification import certificates, evidence_ledger
from review.certification.sequential_test import threshold_grid
from review.models import AccuracyTarget, Alarm, Audit, CarriedAudit, Certificate, Ledger
from review.workflow.audits import is_same_or_below

MIN_SCORES, MAX_SCORES = 100, 500
"""The fewest and the most tickets whose scores make the grid."""
MAX_CARRIED = 2_000
CARRIED_FOR = timedelta(days=180)
"""How long audits count for later epochs: what customers write about changes."""


class RescoredAudit(NamedTuple):
    """An audit of an earlier epoch, with this epoch's answer and score."""

    audit: int
    value: float
    wrong: bool
    category: int
    pending: bool
    repeat: bool


class OpeningEvidence(NamedTuple):
    """What a ledger is opened with."""

    grid: list[float]
    coverage: list[float]
    carried: list[RescoredAudit]


def open_ledger_for(epoch: Epoch, accuracy_target: AccuracyTarget) -> Ledger | None:
    """The epoch's open ledger; None if there is none for this accuracy target."""
    terms = {"target": accuracy_target.target, "missed_share": accuracy_target.missed_share}
    return Ledger.objects.filter(epoch=epoch, closed_at=None, target_risk=accuracy_target.risk, **terms).first()


def open_ledger(epoch: Epoch, accuracy_target: AccuracyTarget) -> Ledger | None:
    """Open a ledger for an epoch without one for this accuracy target; None while there are too few tickets for a grid.

    Models are asked before anything is locked.
    """
    earlier = Ledger.objects.filter(epoch=epoch).order_by("-pk").first()
    if earlier:
        # The grid stays, so that it does not depend on tickets that have become evidence since.
        return _create_ledger(
            epoch, accuracy_target, OpeningEvidence(earlier.grid, earlier.coverage, _carried_by(earlier))
        )
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    evidence = opening_evidence(epoch, epoch.scorer)
    return _create_ledger(epoch, accuracy_target, evidence) if evidence else None


def opening_evidence(epoch: Epoch, scorer: Scorer) -> OpeningEvidence | None:
    """What the ledger would be opened with under this scorer; None while there are too few tickets for a grid."""
    values = _recent_scores(epoch, scorer)
    return (
        OpeningEvidence(*threshold_grid(values), rescored_audits(epoch, scorer)) if len(values) >= MIN_SCORES else None
    )


def _carried_by(ledger: Ledger) -> list[RescoredAudit]:
    rows = ledger.carried.order_by("pk").values_list(
        "audit", "value", "wrong", "category", "pending", "audit__draw__repeat"
    )
    return [RescoredAudit(*row) for row in rows]


@transaction.atomic(durable=True)
def _create_ledger(epoch: Epoch, accuracy_target: AccuracyTarget, evidence: OpeningEvidence) -> Ledger:
    """Locks ledgers first, then the epoch."""
    list(Ledger.objects.select_for_update().filter(closed_at=None).order_by("pk").values_list("pk"))
    Epoch.objects.select_for_update(of=("self",)).get(pk=epoch.pk)
    if ledger := open_ledger_for(epoch, accuracy_target):
        return ledger
    close_ledgers(Ledger.objects.filter(closed_at=None).values_list("pk", flat=True), Certificate.End.CHANGED)
    ledger = evidence_ledger.create_ledger(epoch, accuracy_target, evidence.grid, evidence.coverage)
    CarriedAudit.objects.bulk_create(
        CarriedAudit(
            ledger=ledger,
            audit_id=audit.audit,
            value=audit.value,
            wrong=audit.wrong,
            pending=audit.pending,
            category_id=audit.category,
        )
        for audit in evidence.carried
    )
    return ledger


def settle_carried(ledger: Ledger) -> None:
    """Judge the audits that had no answer when they were carried and have one by now; the ledger is counted again."""
    answered = ledger.carried.filter(pending=True, audit__judged_at__isnull=False)
    audits = {carried.audit_id: carried for carried in answered}
    if not audits or ledger.epoch.scorer is None:
        return
    judged = Audit.objects.filter(pk__in=audits).select_related("ticket", "draw")
    with transaction.atomic(durable=True):
        Ledger.objects.select_for_update(of=("self",)).get(pk=ledger.pk)
        for audit in _rescored(ledger.epoch, ledger.epoch.scorer, judged):
            audits[audit.audit].wrong, audits[audit.audit].pending = audit.wrong, False
        CarriedAudit.objects.bulk_update(audits.values(), ["wrong", "pending"])
        Ledger.objects.filter(pk=ledger.pk).update(until=0)


def close_ledgers(ledger_pks: Iterable[int], reason: Certificate.End) -> None:
    """Close ledgers and end their certificates; part of a transaction."""
    pks = list(ledger_pks)
    for certificate in Certificate.objects.filter(ledger__in=pks, ended_at=None):
        certificates.end_certificate(certificate, reason)
    Ledger.objects.filter(pk__in=pks, closed_at=None).update(closed_at=timezone.now())


def _last_alarm() -> datetime:
    confirmed = Alarm.objects.filter(state=Alarm.State.CONFIRMED).order_by("-closed_at")
    return confirmed.values_list("closed_at", flat=True).first() or timezone.now() - timedelta(days=36_500)


def _recent_scores(epoch: Epoch, scorer: Scorer) -> list[float]:
    """Scores of the latest tickets answered by this model and contract that cannot be evidence under this scorer."""
    predictions = Prediction.objects.filter(
        language_model=epoch.language_model, contract=epoch.contract, version=epoch.version_id
    )
    latest = predictions.order_by("-pk").values_list("ticket", flat=True)[:MAX_SCORES]
    tickets = list(Ticket.objects.filter(pk__in=list(latest)).exclude(audits__held_out=True))
    return [value for _ticket, value, _prediction in _scored_predictions(epoch, scorer, tickets, ask=False)]


def rescored_audits(epoch: Epoch, scorer: Scorer) -> list[RescoredAudit]:
    """Held-out audits of the time since the last confirmed alarm, judged under this epoch and scorer."""
    held_out = Audit.objects.filter(
        held_out=True,
        draw__verdict__created_at__gt=timezone.now() - CARRIED_FOR,
        draw__void=False,
        draw__held=False,
        epoch__started_at__gt=_last_alarm(),
    )
    if scorer == epoch.scorer:
        # This epoch's own audits count directly.
        held_out = held_out.exclude(epoch=epoch)
    return _rescored(epoch, scorer, held_out.select_related("ticket", "draw").order_by("-pk")[:MAX_CARRIED])


def _rescored(epoch: Epoch, scorer: Scorer, latest_first: Iterable[Audit]) -> list[RescoredAudit]:
    """These audits with the epoch's answers, their scores under this scorer, and whether they are right under the
    current taxonomy. An answer counts as wrong while the audit is pending, and if the ticket's label is not active.
    """
    audits = {audit.ticket_id: audit for audit in latest_first}
    if not audits:
        return []
    parents = dict(Category.objects.values_list("pk", "parent"))
    in_use = set(Category.objects.active().values_list("pk", flat=True))
    sentiments = set(Sentiment.objects.active().values_list("pk", flat=True))
    return [
        RescoredAudit(
            audits[ticket.pk].pk,
            value,
            audits[ticket.pk].judged_at is None
            or bool(audits[ticket.pk].flaw)
            or ticket.category_id not in in_use
            or ticket.sentiment_id not in sentiments
            or not _is_right(prediction, ticket, epoch.about, parents),
            prediction.category_id,
            audits[ticket.pk].judged_at is None,
            audits[ticket.pk].draw.repeat,
        )
        for ticket, value, prediction in _scored_predictions(
            epoch, scorer, [audit.ticket for audit in audits.values()], ask=True
        )
    ]


def _is_right(prediction: Prediction, ticket: Ticket, about: str, parents: dict[int, int | None]) -> bool:
    category = is_same_or_below(prediction.category_id, ticket.category_id, parents)
    return category and (about == Criterion.CATEGORY or prediction.sentiment_id == ticket.sentiment_id)


def _scored_predictions(
    epoch: Epoch, scorer: Scorer, tickets: Sequence[Ticket], *, ask: bool
) -> list[tuple[Ticket, float, Prediction]]:
    """Each ticket with its score and prediction by the epoch's models; these are asked for missing ones if `ask`.

    Leaves out tickets without a prediction and suspected prompt injections, which are never auto-accepted.
    """
    version = ContractVersion.objects.get(pk=epoch.contract_id).loaded()
    labelled: list[TicketOutcome] = []
    if epoch.front and epoch.front_threshold is not None:
        in_front = _predictions(epoch, epoch.front, tickets, version, ask=ask)
        confident = {
            pk: prediction for pk, prediction in in_front.items() if prediction.confidence >= epoch.front_threshold
        }
        labelled = _answers(tickets, confident, scorer, version)
    answered = {ticket.pk for ticket, _outcome in labelled}
    unanswered = [ticket for ticket in tickets if ticket.pk not in answered]
    labelled += _answers(
        unanswered, _predictions(epoch, epoch.language_model, unanswered, version, ask=ask), scorer, version
    )
    scores = scoring.stored_scores(labelled, scorer, version)
    return [
        (ticket, epoch.value(scores[ticket.pk]), prediction)
        for ticket, prediction in labelled
        if isinstance(prediction, Prediction)
    ]


def _answers(
    tickets: Sequence[Ticket], predictions: dict[int, Prediction], scorer: Scorer, version: ContractVersion
) -> list[TicketOutcome]:
    """The predictions that count under this scorer, without suspected prompt injections."""
    asked = [TicketOutcome(ticket, predictions[ticket.pk]) for ticket in tickets if ticket.pk in predictions]
    labelled = answering.stored_answers(asked, scorer, version)
    suspected = injection_check.suspected_tickets(labelled, version)
    return [outcome for outcome in labelled if outcome.ticket.pk not in suspected]


def _predictions(
    epoch: Epoch, language_model: LanguageModel, tickets: Sequence[Ticket], version: ContractVersion, *, ask: bool
) -> dict[int, Prediction]:
    if ask:
        answers = [answer for group in predict.predict(tickets, language_model, version) for answer in group]
        predictions = [answer.outcome for answer in answers if isinstance(answer.outcome, Prediction)]
        return {prediction.ticket_id: prediction for prediction in predictions}
    learns = epoch.version_id if language_model.learning else None
    known = Prediction.objects.filter(
        ticket__in=tickets, language_model=language_model, contract=version, version=learns
    )
    return {prediction.ticket_id: prediction for prediction in known}
