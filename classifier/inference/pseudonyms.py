"""Replaces personal data with numbered placeholders before a text goes out, and restores it in the answer. Pure.

The mapping lives for one call. Placeholders that a text already contains are left alone and their numbers are not
reused. Examples are masked for good.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from classifier.contract.types import (
    Answer,
    Classifier,
    ClassifierError,
    Contract,
    FewShotExample,
    IndexedResult,
    Question,
)
from classifier.privacy.masking import KINDS, mask, replace_personal_data

_NUMBERED = re.compile(rf"\[({'|'.join(KINDS)}) (\d{{1,9}})\]", re.IGNORECASE)


def masked_answers(
    classifier: Classifier, questions: Iterable[Question], contract: Contract, *, ahead: int
) -> Iterator[list[IndexedResult]]:
    """The classifier's answers; it sees placeholders, callers see the original data."""
    pseudonyms: dict[int, Pseudonyms] = {}

    def masked() -> Iterator[Question]:
        for place, question in enumerate(questions):
            own = pseudonyms[place] = Pseudonyms(question.text)
            yield Question(own.masked, _masked(question.examples))

    for group in classifier.answers(masked(), contract, ahead=ahead):
        yield [(place, pseudonyms.pop(place).unmasked(result)) for place, result in group]


def _masked(examples: Iterable[FewShotExample]) -> list[FewShotExample]:
    return [replace(example, text=mask(example.text)) for example in examples]


class Pseudonyms:
    """A masked text, and the way back to the original data."""

    def __init__(self, text: str) -> None:
        self._reserved = {(kind.lower(), int(number)) for kind, number in _NUMBERED.findall(text)}
        self._numbers = {kind: count(1) for kind in KINDS}
        self._marks: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self.masked = replace_personal_data(text, self._mark)

    def unmasked(self, result: Answer | ClassifierError) -> Answer | ClassifierError:
        """The result with placeholders replaced by the original data."""
        if isinstance(result, Answer):
            attributes = {
                key: self.restore(value) if isinstance(value, str) else value
                for key, value in result.attributes.items()
            }
            return replace(result, reasoning=self.restore(result.reasoning), attributes=attributes)
        result.reply = self.restore(result.reply)
        return result

    def restore(self, text: str) -> str:
        """The text with placeholders replaced by the original data, whatever their case."""
        return _NUMBERED.sub(lambda match: self._values.get(match[0].lower(), match[0]), text)

    def _mark(self, kind: str, value: str) -> str:
        if (kind, value) not in self._marks:
            number = next(number for number in self._numbers[kind] if (kind, number) not in self._reserved)
            self._marks[kind, value] = f"[{kind} {number}]"
            self._values[f"[{kind} {number}]"] = value
        return self._marks[kind, value]
