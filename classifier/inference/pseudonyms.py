"""Numbered marks in the place of personal data before a text goes out, and the data back in what comes in. Pure.

What stands for what is known for the one call only. Marks that a text has of its own are left alone, and their numbers
are not given again. Texts of others that are shown beside it are masked for good: nothing of them is put back.
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
    """The classifier's own answers; it sees no personal data, and what it says is as if it had."""
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
    """A text as it may go out, and the way back."""

    def __init__(self, text: str) -> None:
        self._reserved = {(kind.lower(), int(number)) for kind, number in _NUMBERED.findall(text)}
        self._numbers = {kind: count(1) for kind in KINDS}
        self._marks: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self.masked = replace_personal_data(text, self._mark)

    def unmasked(self, result: Answer | ClassifierError) -> Answer | ClassifierError:
        """What a model said, with the data where it wrote their marks."""
        if isinstance(result, Answer):
            return replace(result, reasoning=self.restore(result.reasoning))
        result.reply = self.restore(result.reply)
        return result

    def restore(self, text: str) -> str:
        """The text with the data in the place of the marks that stand for them, however their letters are written."""
        return _NUMBERED.sub(lambda match: self._values.get(match[0].lower(), match[0]), text)

    def _mark(self, kind: str, value: str) -> str:
        """The same value has the same mark."""
        if (kind, value) not in self._marks:
            number = next(number for number in self._numbers[kind] if (kind, number) not in self._reserved)
            self._marks[kind, value] = f"[{kind} {number}]"
            self._values[f"[{kind} {number}]"] = value
        return self._marks[kind, value]
