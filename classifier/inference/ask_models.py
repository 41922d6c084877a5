"""Asking models about texts, within their providers' budgets; nothing of what they say is stored here."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from classifier.contract.types import Answer, ClassifierError, FailureKind, IndexedResult, Question
from classifier.database.batches import chunked
from classifier.inference import budget, few_shot, pseudonyms, registry
from classifier.inference.budget import BudgetReservation
from classifier.models import ContractVersion, LanguageModel

BESIDE_AT_ONCE = 16
"""Texts whose solved tickets are looked for, and money set aside for, at once, while others wait to be stored."""


class ResultStream:
    """A model asked about many texts, to be iterated over once: lists of results with the places of their texts, in
    order of arrival, empty if nothing arrived for a moment.

    Texts are drawn as they are needed; at most the model's `hand_size` of them are under way and not handed out. Each
    result is counted against the provider's budget as it comes. The first text that the budget does not reach comes
    last, as a failure of that kind; those after it are not asked about. Writes nothing else, but for vectors of the
    texts where solved tickets are looked for. An endpoint is shown as many of these as its row says, or as `examples`
    says instead.
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
        self._number = few_shot.example_count(language_model, examples)
        self._purse = BudgetReservation(language_model, version.terms, examples=self._number)
        self._without_money: list[int] = []
        self._until: float | None = None

    def stop(self) -> None:
        """Ask about no more. What is under way still comes, but for what takes too long."""
        if self._until is None:
            # So many are under way that they take two turns.
            self._until = time.monotonic() + 2 * self._language_model.timeout

    def __iter__(self) -> Iterator[list[IndexedResult]]:
        try:
            for group in self._answers():
                self._purse.settle([self._language_model.cost(result.usage) for _place, result in group])
                for _place, result in group:
                    self._language_model.remember(result.usage.json_mode)
                yield group
                if self._until and time.monotonic() > self._until:
                    return
            if self._without_money:
                yield [(place, _over_budget(self._language_model)) for place in self._without_money]
        finally:
            self._purse.close()

    def _answers(self) -> Iterator[list[IndexedResult]]:
        try:
            classifier = registry.classifier_for(self._language_model)
        except ClassifierError as error:
            return iter([[(place, error) for place, _text in enumerate(self._texts)]])
        questions, terms, ahead = self._questions(), self._version.terms, self._language_model.hand_size
        if self._language_model.provider.mask and not self._language_model.is_embedded:
            return pseudonyms.masked_answers(classifier, questions, terms, ahead=ahead)
        return classifier.answers(questions, terms, ahead=ahead)

    def _questions(self) -> Iterator[Question]:
        """The texts in order, each once there is money set aside for it, until it is enough."""
        place = 0
        for texts in chunked(self._texts, BESIDE_AT_ONCE):
            affordable = self._purse.set_aside(len(texts))
            solved = few_shot.examples_for(texts, self._version, self._number)
            for number, question in enumerate(map(Question, texts, solved or repeat(()))):
                if self._until:
                    return
                # By its turn, answers that came may have cost less than was set aside for them.
                if number >= affordable and not self._purse.set_aside(1):
                    self._without_money = [place]
                    return
                yield question
                place += 1


def ask_all(
    texts: Sequence[str], language_model: LanguageModel, version: ContractVersion, *, examples: int | None = None
) -> Iterator[list[IndexedResult]]:
    """What the model says of each text, with its place, in order of arrival; an error where the budget ends."""
    left = set(range(len(texts)))
    for group in ResultStream(texts, language_model, version, examples=examples):
        left -= {place for place, _result in group}
        if group:
            yield group
    if left:
        yield [(place, _over_budget(language_model)) for place in sorted(left)]


def ask(
    text: str, language_model: LanguageModel, version: ContractVersion, *, examples: int | None = None
) -> Answer | ClassifierError:
    """What the model says of one text."""
    return next(
        result for group in ResultStream([text], language_model, version, examples=examples) for _place, result in group
    )


def _over_budget(language_model: LanguageModel) -> ClassifierError:
    return ClassifierError(
        f"The daily budget of {language_model.provider} is used up; the ticket waits for the next day.",
        kind=FailureKind.BUDGET,
        retry_after=budget.seconds_until_tomorrow(),
    )
