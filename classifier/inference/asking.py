"""Asking models about texts, within their providers' budgets; nothing of what they say is stored here.

Many texts are asked about by `ask`, which keeps their order and takes the money for all at once, or by `Asking`, which
hands on what comes first and takes money for a text as it is its turn.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import repeat

from classifier.contract.types import Answer, ClassifierError, FailureKind
from classifier.database.batches import chunked
from classifier.inference import (
    budget,
    few_shot,
    pseudonyms,
    registry,
)
from classifier.inference.backends import build
from classifier.inference.backends.build import Asked, Placed
from classifier.inference.budget import Reservation
from classifier.models import ContractVersion, LanguageModel

BESIDE_AT_ONCE = 16
"""Texts whose solved tickets are looked for at once, while others wait to be stored."""


def ask(
    texts: Sequence[str], language_model: LanguageModel, version: ContractVersion, *, examples: int | None = None
) -> Iterator[Answer | ClassifierError]:
    """The model's answers in order, within its provider's budget and counted against it. Writes nothing else, but for
    vectors of the texts where solved tickets are looked for.

    An endpoint is shown so many of these beside each text as its row says, or as `examples` says instead.
    """
    number = few_shot.number_for(language_model, examples)
    reservation = budget.reserve(language_model, version.terms, len(texts), examples=number)
    spent = Decimal(0)
    try:
        for result in _answers(texts[: reservation.tickets], language_model, version, number):
            usage = result.usage
            spent += language_model.cost(usage)
            language_model.remember(usage.json_mode)
            yield result
    finally:
        reservation.settle(spent)
    for _text in texts[reservation.tickets :]:
        yield _unpaid(language_model)


class Asking:
    """A model asked about many texts, to be iterated over once: lists of results with the places of their texts, as
    they come, which are empty where nothing came for a moment.

    Texts are drawn as they are needed; at most the model's `hand_size` of them are under way and not handed out. Each
    result is counted against the provider's budget as it comes. The first text that the budget does not reach comes
    last, as a failure of that kind; those after it are not asked about. Writes nothing else, but for vectors of the
    texts where solved tickets are looked for.
    """

    def __init__(
        self,
        texts: Iterable[str],
        language_model: LanguageModel,
        version: ContractVersion,
        *,
        examples: int | None = None,
    ) -> None:
        self._texts, self._language_model, self._version = texts, language_model, version
        self._number = few_shot.number_for(language_model, examples)
        self._set_aside: dict[int, Reservation] = {}
        self._without_money: list[int] = []
        self._until: float | None = None

    def stop(self) -> None:
        """Ask about no more. What is under way still comes, but for what takes too long."""
        if self._until is None:
            # So many are under way that they take two turns.
            self._until = time.monotonic() + 2 * self._language_model.timeout

    def __iter__(self) -> Iterator[list[Placed]]:
        try:
            for group in self._answers():
                for place, result in group:
                    self._settle(place, result)
                yield group
                if self._until and time.monotonic() > self._until:
                    return
            if self._without_money:
                yield [(place, _unpaid(self._language_model)) for place in self._without_money]
        finally:
            for reservation in self._set_aside.values():
                reservation.settle(Decimal(0))

    def _answers(self) -> Iterator[list[Placed]]:
        try:
            classifier = registry.of(self._language_model)
        except ClassifierError as error:
            return iter([[(place, error) for place, _text in enumerate(self._texts)]])
        answers = partial(
            build.as_answered, classifier, contract=self._version.terms, ahead=self._language_model.hand_size
        )
        return (
            pseudonyms.as_answered(answers, self._asked()) if _masks(self._language_model) else answers(self._asked())
        )

    def _asked(self) -> Iterator[Asked]:
        """The texts in order, each once there is money set aside for it, until it is enough."""
        for place, asked in enumerate(self._with_solved()):
            if self._until:
                return
            reservation = budget.reserve(self._language_model, self._version.terms, 1, examples=self._number)
            if not reservation.tickets:
                self._without_money = [place]
                return
            self._set_aside[place] = reservation
            yield asked

    def _with_solved(self) -> Iterator[Asked]:
        for texts in chunked(self._texts, BESIDE_AT_ONCE):
            solved = few_shot.beside(texts, self._version, self._number)
            yield from zip(texts, solved or repeat(()), strict=False)

    def _settle(self, place: int, result: Answer | ClassifierError) -> None:
        if reservation := self._set_aside.pop(place, None):
            reservation.settle(self._language_model.cost(result.usage))
        self._language_model.remember(result.usage.json_mode)


def _unpaid(language_model: LanguageModel) -> ClassifierError:
    return ClassifierError(
        f"The daily budget of {language_model.provider} is used up; the ticket waits for the next day.",
        kind=FailureKind.BUDGET,
        retry_after=budget.until_tomorrow(),
    )


def _masks(language_model: LanguageModel) -> bool:
    """Whether personal data is kept from it."""
    return language_model.provider.mask and not language_model.is_embedded


def _answers(
    texts: Sequence[str], language_model: LanguageModel, version: ContractVersion, examples: int
) -> Iterator[Answer | ClassifierError]:
    try:
        classifier = registry.of(language_model)
    except ClassifierError as error:
        return repeat(error, len(texts))
    solved = few_shot.beside(texts, version, examples)
    if _masks(language_model):
        return pseudonyms.classify(classifier, texts, version.terms, solved)
    return classifier.classify(texts, version.terms, solved)
