"""Numbered marks in the place of personal data before a text goes out, and the data back in what comes in. Pure.

What stands for what is known for the one call only. Marks that a text has of its own are left alone, and their numbers
are not given again. Texts of others that are shown beside it are masked for good: nothing of them is put back.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count

from classifier.contract.types import (
    Answer,
    Classifier,
    ClassifierError,
    Contract,
    Solved,
)
from classifier.inference.backends.build import Asked, Placed
from classifier.privacy.masking import KINDS, marked, mask

_NUMBERED = re.compile(rf"\[({'|'.join(KINDS)}) (\d{{1,9}})\]", re.IGNORECASE)


def classify(
    classifier: Classifier, texts: Sequence[str], contract: Contract, solved: Sequence[Sequence[Solved]] = ()
) -> Iterator[Answer | ClassifierError]:
    """As the classifier's own, which sees no personal data; what it says of it is as if it had."""
    pseudonyms = [Pseudonyms(text) for text in texts]
    shown = [_masked(beside) for beside in solved]
    results = classifier.classify([one.masked for one in pseudonyms], contract, shown)
    for own, result in zip(pseudonyms, results, strict=False):
        yield own.unmasked(result)


def as_answered(
    answers: Callable[[Iterable[Asked]], Iterator[list[Placed]]], asked: Iterable[Asked]
) -> Iterator[list[Placed]]:
    """What `answers` says of these, as it comes; it sees no personal data, and what it says is as if it had."""
    pseudonyms: dict[int, Pseudonyms] = {}

    def shown() -> Iterator[Asked]:
        for place, (text, beside) in enumerate(asked):
            own = pseudonyms[place] = Pseudonyms(text)
            yield own.masked, _masked(beside)

    for group in answers(shown()):
        yield [(place, pseudonyms.pop(place).unmasked(result)) for place, result in group]


def _masked(solved: Iterable[Solved]) -> list[Solved]:
    return [replace(one, text=mask(one.text)) for one in solved]


class Pseudonyms:
    """A text as it may go out, and the way back."""

    def __init__(self, text: str) -> None:
        self._taken = {(kind.lower(), int(number)) for kind, number in _NUMBERED.findall(text)}
        self._numbers = {kind: count(1) for kind in KINDS}
        self._marks: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self.masked = marked(text, self._mark)

    def unmasked(self, result: Answer | ClassifierError) -> Answer | ClassifierError:
        """What a model said, with the data where it wrote their marks."""
        if isinstance(result, Answer):
            return replace(result, reasoning=self.back(result.reasoning))
        result.reply = self.back(result.reply)
        return result

    def back(self, text: str) -> str:
        """The text with the data in the place of the marks that stand for them, however their letters are written."""
        return _NUMBERED.sub(lambda found: self._values.get(found[0].lower(), found[0]), text)

    def _mark(self, kind: str, value: str) -> str:
        """The same value has the same mark."""
        if (kind, value) not in self._marks:
            number = next(number for number in self._numbers[kind] if (kind, number) not in self._taken)
            self._marks[kind, value] = f"[{kind} {number}]"
            self._values[f"[{kind} {number}]"] = value
        return self._marks[kind, value]
