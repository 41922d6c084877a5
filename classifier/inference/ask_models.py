"""Asks models about texts within their providers' budgets. Stores no answers."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from classifier.contract.attributes import without_misfits
from classifier.contract.types import Answer, ClassifierError, FailureKind, IndexedResult, ProviderFault, Question
from classifier.database.batches import chunked
from classifier.inference import budget, few_shot, pseudonyms, registry
from classifier.inference.budget import BudgetReservation
from classifier.models import ContractVersion, LanguageModel

BESIDE_AT_ONCE = 16
"""Texts for which examples are found and money is reserved together."""


class ResultStream:
    """Asks a model about many texts; iterate once to get lists of (index, result) in order of arrival, empty if
    nothing arrived.

    Texts are consumed as needed, at most `hand_size` ahead. Each result is charged to the provider's budget. When the
    budget is used up, the next text yields a budget failure and the rest are not asked; after a ProviderFault the rest
    are not asked either, and `fault` says why. Endpoints get as many examples as their row or `examples` says; only
    embeddings of the texts are stored for that.
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
        self._reservation = BudgetReservation(language_model, version.terms, examples=self._number)
        self._unaffordable: list[int] = []
        self._until: float | None = None
        self.fault: ProviderFault | None = None

    def stop(self) -> None:
        """Ask about no further texts. Pending results still arrive unless they take too long."""
        if self._until is None:
            # Pending texts may need two rounds of requests.
            self._until = time.monotonic() + 2 * self._language_model.timeout

    def __iter__(self) -> Iterator[list[IndexedResult]]:
        try:
            for group in self._answers():
                self._reservation.settle([self._language_model.cost(result.usage) for _place, result in group])
                for _place, result in group:
                    self._language_model.remember(result.usage.dialect)
                    if isinstance(result, ProviderFault):
                        self.fault = result
                yield [(place, self._fitting(result)) for place, result in group]
                if self._until and time.monotonic() > self._until:
                    return
            if self._unaffordable:
                yield [(place, _over_budget(self._language_model)) for place in self._unaffordable]
        finally:
            self._reservation.close()

    def _fitting(self, result: Answer | ClassifierError) -> Answer | ClassifierError:
        asked = self._version.terms.attributes
        return without_misfits(result, asked) if asked and isinstance(result, Answer) else result

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
        """The texts in order, each once money is reserved for it, until `stop`."""
        place = 0
        for texts in chunked(self._texts, BESIDE_AT_ONCE):
            affordable = self._reservation.reserve(texts)
            solved = few_shot.examples_for(texts, self._version, self._number)
            for number, question in enumerate(map(Question, texts, solved or repeat(()))):
                if self._until or self.fault:
                    return
                # Answers may since have cost less than was reserved, which frees budget.
                if number >= affordable and not self._reservation.reserve([question.text]):
                    self._unaffordable = [place]
                    return
                yield question
                place += 1


def ask_all(
    texts: Sequence[str], language_model: LanguageModel, version: ContractVersion, *, examples: int | None = None
) -> Iterator[list[IndexedResult]]:
    """The model's result for each text in order of arrival; texts that were not asked get the error that says why.

    Lists are empty while nothing arrives.
    """
    left = set(range(len(texts)))
    asking = ResultStream(texts, language_model, version, examples=examples)
    for group in asking:
        left -= {place for place, _result in group}
        yield group
    if left:
        yield [(place, _unasked(asking.fault) or _over_budget(language_model)) for place in sorted(left)]


def ask(
    text: str, language_model: LanguageModel, version: ContractVersion, *, examples: int | None = None
) -> Answer | ClassifierError:
    """The model's result for one text."""
    return next(
        result for group in ResultStream([text], language_model, version, examples=examples) for _place, result in group
    )


def _unasked(fault: ProviderFault | None) -> ProviderFault | None:
    """The same fault for a text that caused no request."""
    return fault and ProviderFault(str(fault), kind=fault.kind, words=fault.words)


def _over_budget(language_model: LanguageModel) -> ClassifierError:
    return ClassifierError(
        f"The daily budget of {language_model.provider} is used up; the ticket waits for the next day.",
        kind=FailureKind.BUDGET,
        retry_after=budget.seconds_until_tomorrow(),
    )
