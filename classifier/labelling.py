"""Read, ask, write: what models say of tickets, stored once per ticket, model and contract."""

import time
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import repeat
from typing import NamedTuple, TypeVar

from django.db import transaction
from django.db.models import Q

from . import backends, budget, classifiers, pseudonyms, showing
from .backends import Asked, Placed
from .budget import Reservation
from .chunks import chunked
from .contract import Answer, ClassifierError, FailureKind
from .models import Category, ContractVersion, Failure, ModelSpec, Prediction, Sentiment, SpecialistVersion, Ticket
from .models.contract import Labels

T = TypeVar("T")

BESIDE_AT_ONCE = 16
"""Texts whose solved tickets are looked for at once, while others wait to be stored."""

Outcome = Prediction | Failure


class Labelled(NamedTuple):
    """A ticket and what became of asking: a stored prediction, or a failure."""

    ticket: Ticket
    outcome: Outcome


def ask(
    texts: Sequence[str], spec: ModelSpec, version: ContractVersion, *, examples: int | None = None
) -> Iterator[Answer | ClassifierError]:
    """The model's answers in order, within its provider's budget and counted against it. Writes nothing else, but for
    vectors of the texts where solved tickets are looked for.

    An endpoint is shown so many of these beside each text as its row says, or as `examples` says instead.
    """
    number = showing.number_for(spec, examples)
    reservation = budget.reserve(spec, version.terms, len(texts), examples=number)
    spent = Decimal(0)
    try:
        for result in _answers(texts[: reservation.tickets], spec, version, number):
            usage = result.usage
            spent += spec.cost(usage)
            spec.remember(usage.json_mode)
            yield result
    finally:
        reservation.settle(spent)
    for _text in texts[reservation.tickets :]:
        yield _unpaid(spec)


class Asking:
    """A model asked about many texts, to be iterated over once: lists of results with the places of their texts, as
    they come, which are empty where nothing came for a moment.

    Texts are drawn as they are needed; at most the model's `hand_size` of them are under way and not handed out. Each
    result is counted against the provider's budget as it comes. The first text that the budget does not reach comes
    last, as a failure of that kind; those after it are not asked about. Writes nothing else, but for vectors of the
    texts where solved tickets are looked for.
    """

    def __init__(
        self, texts: Iterable[str], spec: ModelSpec, version: ContractVersion, *, examples: int | None = None
    ) -> None:
        self._texts, self._spec, self._version = texts, spec, version
        self._number = showing.number_for(spec, examples)
        self._set_aside: dict[int, Reservation] = {}
        self._without_money: list[int] = []
        self._until: float | None = None

    def stop(self) -> None:
        """Ask about no more. What is under way still comes, but for what takes too long."""
        if self._until is None:
            # So many are under way that they take two turns.
            self._until = time.monotonic() + 2 * self._spec.timeout

    def __iter__(self) -> Iterator[list[Placed]]:
        try:
            for group in self._answers():
                for place, result in group:
                    self._settle(place, result)
                yield group
                if self._until and time.monotonic() > self._until:
                    return
            if self._without_money:
                yield [(place, _unpaid(self._spec)) for place in self._without_money]
        finally:
            for reservation in self._set_aside.values():
                reservation.settle(Decimal(0))

    def _answers(self) -> Iterator[list[Placed]]:
        try:
            classifier = classifiers.of(self._spec)
        except ClassifierError as error:
            return iter([[(place, error) for place, _text in enumerate(self._texts)]])
        answers = partial(backends.as_answered, classifier, contract=self._version.terms, ahead=self._spec.hand_size)
        return pseudonyms.as_answered(answers, self._asked()) if _masks(self._spec) else answers(self._asked())

    def _asked(self) -> Iterator[Asked]:
        """The texts in order, each once there is money set aside for it, until it is enough."""
        for place, asked in enumerate(self._with_solved()):
            if self._until:
                return
            reservation = budget.reserve(self._spec, self._version.terms, 1, examples=self._number)
            if not reservation.tickets:
                self._without_money = [place]
                return
            self._set_aside[place] = reservation
            yield asked

    def _with_solved(self) -> Iterator[Asked]:
        for texts in chunked(self._texts, BESIDE_AT_ONCE):
            solved = showing.beside(texts, self._version, self._number)
            yield from zip(texts, solved or repeat(()), strict=False)

    def _settle(self, place: int, result: Answer | ClassifierError) -> None:
        if reservation := self._set_aside.pop(place, None):
            reservation.settle(self._spec.cost(result.usage))
        self._spec.remember(result.usage.json_mode)


def _unpaid(spec: ModelSpec) -> ClassifierError:
    return ClassifierError(
        f"The daily budget of {spec.provider} is used up; the ticket waits for the next day.",
        kind=FailureKind.BUDGET,
        retry_after=budget.until_tomorrow(),
    )


def _masks(spec: ModelSpec) -> bool:
    """Whether personal data is kept from it."""
    return spec.provider.mask and not spec.is_embedded


def _answers(
    texts: Sequence[str], spec: ModelSpec, version: ContractVersion, examples: int
) -> Iterator[Answer | ClassifierError]:
    try:
        classifier = classifiers.of(spec)
    except ClassifierError as error:
        return repeat(error, len(texts))
    solved = showing.beside(texts, version, examples)
    if _masks(spec):
        return pseudonyms.classify(classifier, texts, version.terms, solved)
    return classifier.classify(texts, version.terms, solved)


def label(tickets: Sequence[Ticket], spec: ModelSpec, version: ContractVersion) -> Iterator[list[Labelled]]:
    """Ask a model about tickets and store what it says; yields groups as they are stored.

    A ticket that this model (of one that learns, this version of it) has answered under this contract already is not
    asked about again. A failure for want of budget is not stored: nobody was asked.
    """
    serving = SpecialistVersion.objects.serving() if spec.learning else None
    answered = Prediction.objects.filter(ticket__in=tickets, spec=spec, contract=version, version=serving)
    known = {p.ticket_id: p for p in answered}
    if known:
        yield [Labelled(ticket, known[ticket.pk]) for ticket in tickets if ticket.pk in known]
    unknown = [ticket for ticket in tickets if ticket.pk not in known]
    answers = ask([ticket.text for ticket in unknown], spec, version)
    for group in in_groups(zip(unknown, answers, strict=True)):
        yield _record(spec, version, group)


def give_up(tickets: Sequence[Ticket], spec: ModelSpec, version: ContractVersion) -> list[Labelled]:
    """A stored failure for each of these tickets, whose turns have all ended without a result (a worker that died)."""
    if not tickets:
        return []
    error = ClassifierError(
        "Every try to classify this ticket ended without a result; the worker's log may say why.",
        kind=FailureKind.GIVEN_UP,
        permanent=True,
    )
    return _record(spec, version, [(ticket, error) for ticket in tickets])


def in_groups(items: Iterable[T], *, most: int = 32, seconds: float = 0.25) -> Iterator[list[T]]:
    """Lists of up to `most`, handed on after so many seconds however few they are."""
    group: list[T] = []
    begun = time.monotonic()
    for item in items:
        group.append(item)
        if len(group) >= most or time.monotonic() - begun > seconds:
            yield group
            group, begun = [], time.monotonic()
    if group:
        yield group


@transaction.atomic(durable=True)
def _record(
    spec: ModelSpec, version: ContractVersion, results: list[tuple[Ticket, Answer | ClassifierError]]
) -> list[Labelled]:
    tickets = [ticket.pk for ticket, _result in results]
    # Whoever else answers the same tickets waits here, and then finds them answered.
    present = dict(Ticket.objects.select_for_update().filter(pk__in=tickets).order_by("pk").values_list("pk", "text"))
    versions = {result.version for _ticket, result in results if isinstance(result, Answer)} or {None}
    answered = Q(version__in=versions - {None}) | (Q(version=None) if None in versions else Q())
    predictions = Prediction.objects.filter(answered, ticket__in=tickets, spec=spec, contract=version)
    stored = {p.ticket_id: p for p in predictions}
    labels = Labels(_labels_now(Category, version.labels.categories), _labels_now(Sentiment, version.labels.sentiments))
    labelled = [
        Labelled(ticket, stored.get(ticket.pk) or _outcome(ticket, spec, version, result, labels))
        for ticket, result in results
        # Of a text that was erased meanwhile nothing is kept, for what was said may quote it.
        if present.get(ticket.pk) == ticket.text
    ]
    fresh = [outcome for _ticket, outcome in labelled if outcome.pk is None]
    Prediction.objects.bulk_create([outcome for outcome in fresh if isinstance(outcome, Prediction)])
    Failure.objects.bulk_create(
        [outcome for outcome in fresh if isinstance(outcome, Failure) and outcome.kind != FailureKind.BUDGET]
    )
    return labelled


def _labels_now(model: type[Category] | type[Sentiment], names: dict[str, int]) -> dict[str, int]:
    """The keys behind a contract's names, as they stand now: a label merged meanwhile answers by its successor."""
    successors = dict(
        model._default_manager.select_for_update(no_key=True)
        .filter(pk__in=names.values())
        .order_by("pk")
        .values_list("pk", "merged_into")
    )
    return {name: successors[pk] or pk for name, pk in names.items() if pk in successors}


def _outcome(
    ticket: Ticket, spec: ModelSpec, version: ContractVersion, result: Answer | ClassifierError, labels: Labels
) -> Outcome:
    if isinstance(result, ClassifierError):
        return _failure(ticket, spec, version, result)
    if result.category not in labels.categories or result.sentiment not in labels.sentiments:
        gone = ClassifierError(
            f"{result.category} | {result.sentiment} was deleted while the model was asked; classify the ticket again.",
            kind=FailureKind.UNKNOWN_LABEL,
            permanent=True,
            usage=result.usage,
        )
        return _failure(ticket, spec, version, gone)
    return Prediction(
        **_attempt(ticket, spec, version, result),
        category_id=labels.categories[result.category],
        sentiment_id=labels.sentiments[result.sentiment],
        confidence=result.confidence,
        reasoning=result.reasoning,
        category_logprob=result.logprobs.category,
        sentiment_logprob=result.logprobs.sentiment,
        words=result.evidence.words,
        near=result.evidence.near,
        version_id=result.version,
    )


def _failure(ticket: Ticket, spec: ModelSpec, version: ContractVersion, error: ClassifierError) -> Failure:
    failure = Failure(
        **_attempt(ticket, spec, version, error),
        kind=error.kind,
        detail=str(error),
        permanent=error.permanent,
        reply=error.reply[:4_000],
    )
    failure.retry_after = error.retry_after
    return failure


def _attempt(
    ticket: Ticket, spec: ModelSpec, version: ContractVersion, result: Answer | ClassifierError
) -> dict[str, object]:
    usage = result.usage
    return {
        "ticket": ticket,
        "spec": spec,
        "contract": version,
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "latency_ms": usage.latency_ms,
        "cost": spec.cost(usage),
        "shortened": usage.shortened,
    }
