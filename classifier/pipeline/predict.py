"""Asks models about tickets and stores each answer once per ticket, model and contract."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q

from classifier.contract.attributes import stored_answers
from classifier.contract.types import Answer, ClassifierError, FailureKind, LabelDistributions, ProviderFault
from classifier.inference import pauses
from classifier.inference.ask_models import ask_all
from classifier.models import (
    Category,
    ContractVersion,
    Failure,
    LanguageModel,
    Prediction,
    Sentiment,
    SpecialistVersion,
    Ticket,
)
from classifier.models.contract import Labels

PredictionOutcome = Prediction | Failure


class TicketOutcome(NamedTuple):
    """A ticket with the prediction or failure that a model gave it."""

    ticket: Ticket
    outcome: PredictionOutcome


def predict(
    tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
) -> Iterator[list[TicketOutcome]]:
    """Ask a model about tickets and store its answers; yields groups as they are stored, empty ones meanwhile.

    Skips tickets that this model (or this version of the specialist) has answered under this contract. A fault of the
    provider pauses the model. Failures for lack of budget or of a provider are not stored where no model was asked.
    """
    live_version = SpecialistVersion.objects.live_pk() if language_model.learning else None
    answered = Prediction.objects.filter(
        ticket__in=tickets, language_model=language_model, contract=version, version=live_version
    )
    known = {p.ticket_id: p for p in answered}
    if known:
        yield [TicketOutcome(ticket, known[ticket.pk]) for ticket in tickets if ticket.pk in known]
    for group in _answers([ticket for ticket in tickets if ticket.pk not in known], language_model, version):
        yield _store(language_model, version, group) if group else []


def predict_unstored(
    tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
) -> Iterator[list[TicketOutcome]]:
    """Ask a model about unsaved tickets; predictions and failures are not stored either."""
    for group in _answers(tickets, language_model, version):
        yield [TicketOutcome(ticket, _outcome(ticket, language_model, version, result)) for ticket, result in group]


def _answers(
    tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
) -> Iterator[list[tuple[Ticket, Answer | ClassifierError]]]:
    if tickets:
        for group in ask_all([ticket.text for ticket in tickets], language_model, version):
            if fault := next((result for _place, result in group if isinstance(result, ProviderFault)), None):
                pauses.begin(language_model, fault)
            yield [(tickets[place], result) for place, result in group]


def give_up(ticket: Ticket, language_model: LanguageModel, version: ContractVersion) -> TicketOutcome:
    """The unsaved failure of a ticket whose attempts all ended without a result."""
    error = ClassifierError(
        "Every attempt to classify this ticket ended without a result; see the worker's log.",
        kind=FailureKind.GIVEN_UP,
        permanent=True,
    )
    return TicketOutcome(ticket, _outcome(ticket, language_model, version, error))


@transaction.atomic(durable=True)
def _store(
    language_model: LanguageModel, version: ContractVersion, results: list[tuple[Ticket, Answer | ClassifierError]]
) -> list[TicketOutcome]:
    tickets = [ticket.pk for ticket, _result in results]
    # A concurrent worker waits here, then finds the tickets answered.
    present = dict(Ticket.objects.select_for_update().filter(pk__in=tickets).order_by("pk").values_list("pk", "text"))
    versions = {result.version for _ticket, result in results if isinstance(result, Answer)} or {None}
    answered = Q(version__in=versions - {None}) | (Q(version=None) if None in versions else Q())
    predictions = Prediction.objects.filter(
        answered, ticket__in=tickets, language_model=language_model, contract=version
    )
    stored = {p.ticket_id: p for p in predictions}
    labels = current_labels(version)
    labelled = [
        TicketOutcome(ticket, stored.get(ticket.pk) or _outcome(ticket, language_model, version, result, labels))
        for ticket, result in results
        # The text was erased meanwhile: the answer may quote it, so it is not kept.
        if present.get(ticket.pk) == ticket.text
    ]
    fresh = [outcome for _ticket, outcome in labelled if outcome.pk is None]
    Prediction.objects.bulk_create([outcome for outcome in fresh if isinstance(outcome, Prediction)])
    Failure.objects.bulk_create(
        [outcome for outcome in fresh if isinstance(outcome, Failure) and not _is_unasked(outcome)]
    )
    return labelled


def _is_unasked(failure: Failure) -> bool:
    """Whether the ticket waits without any request having been made for it."""
    return failure.kind == FailureKind.BUDGET or (failure.provider_fault and not failure.requests)


def current_labels(version: ContractVersion) -> Labels:
    """The current keys of the labels that a contract offers, locked until the transaction ends."""
    return Labels(
        _current_labels(Category, version.labels.categories), _current_labels(Sentiment, version.labels.sentiments)
    )


def _current_labels(model: type[Category] | type[Sentiment], names: dict[str, int]) -> dict[str, int]:
    """The current keys of a contract's label names: a merged label is replaced by its successor."""
    successors = dict(
        model._default_manager.select_for_update(no_key=True)
        .filter(pk__in=names.values())
        .order_by("pk")
        .values_list("pk", "merged_into")
    )
    return {name: successors[pk] or pk for name, pk in names.items() if pk in successors}


def _outcome(
    ticket: Ticket,
    language_model: LanguageModel,
    version: ContractVersion,
    result: Answer | ClassifierError,
    labels: Labels | None = None,
) -> PredictionOutcome:
    """The unsaved prediction or failure; `labels` are the current keys of the contract's labels."""
    labels = labels or version.labels
    if isinstance(result, Answer) and not (
        result.category in labels.categories and result.sentiment in labels.sentiments
    ):
        label = f"{result.category} | {result.sentiment}"
        message = f"{label} was deleted while the model was asked; classify the ticket again."
        result = ClassifierError(message, kind=FailureKind.UNKNOWN_LABEL, permanent=True, usage=result.usage)
    usage = result.usage
    call: dict[str, Any] = {
        "ticket": ticket,
        "language_model": language_model,
        "contract": version,
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "latency_ms": usage.latency_ms,
        "cost": language_model.cost(usage),
        "shortened": usage.shortened,
        "repaired": usage.repaired,
    }
    return _failure(result, call) if isinstance(result, ClassifierError) else _prediction(result, call, labels)


def _failure(error: ClassifierError, call: dict[str, Any]) -> Failure:
    failure = Failure(**call, kind=error.kind, detail=str(error), permanent=error.permanent, reply=error.reply[:4_000])
    failure.retry_after, failure.provider_fault = error.retry_after, isinstance(error, ProviderFault)
    return failure


def _prediction(answer: Answer, call: dict[str, Any], labels: Labels) -> Prediction:
    asked = call["contract"].terms.attributes
    return Prediction(
        **call,
        category_id=labels.categories[answer.category],
        sentiment_id=labels.sentiments[answer.sentiment],
        confidence=answer.confidence,
        reasoning=answer.reasoning,
        category_logprob=answer.logprobs.category,
        sentiment_logprob=answer.logprobs.sentiment,
        probabilities=_by_key(answer.probabilities, labels) if answer.probabilities else {},
        words=answer.evidence.word_spans,
        near=answer.evidence.nearest,
        version_id=answer.version,
        attributes=stored_answers(answer.attributes, asked),
        unusable=[attribute.pk for attribute in asked if attribute.key in answer.unusable],
        further_categories=[labels.categories[name] for name in answer.further_categories if name in labels.categories],
    )


def _by_key(distributions: LabelDistributions, labels: Labels) -> dict[str, dict[str, float]]:
    """The probabilities by the current keys of the labels, as JSON has them; a merged label adds to its successor."""
    summed: dict[str, dict[str, float]] = {"category": {}, "sentiment": {}}
    for axis, shares, keys in zip(summed.values(), distributions, (labels.categories, labels.sentiments), strict=True):
        for name, share in shares.items():
            if name in keys:
                key = str(keys[name])
                axis[key] = axis.get(key, 0.0) + share
    return summed
