"""How well a model tells classes: which it takes for which, and precision, recall and F1 of each and on the whole.

An item has one expected class and one answer, which is None where the model gave none. An answer is held against the
class that it names only if that class is asked about; against the class expected it always is.

- van Rijsbergen (1979), "Information Retrieval", chapter 7: F1, the harmonic mean of precision and recall.
- Opitz and Burst (2019), "Macro F1 and Macro F1": the mean of the classes' F1, not the F1 of their means.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

LEAST = 10
"""Of a class with fewer expected items than this F1 says next to nothing."""

Label = TypeVar("Label", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: items that it is expected of, answers that name it, and shares from 0 to 1.

    Precision is unknown where no answer names it; recall and F1 are where no item expects it.
    """

    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean F1 of the classes that are known well enough, how many these are, and which of those expected are not.

    Unknown where no class is known.
    """

    value: float | None
    known: int
    unknown: tuple[Hashable, ...]


def confusion(expected: Sequence[Label], predicted: Sequence[Label | None]) -> Counter[tuple[Label, Label | None]]:
    """How many items of each expected class got each answer, None among them; both sequences are by item."""
    return Counter(zip(expected, predicted, strict=True))


def by_class(expected: Sequence[Label], predicted: Sequence[Label | None]) -> dict[Label, ClassFigures]:
    """The figures of every class that is expected or answered: those expected first, as they come."""
    pairs = confusion(expected, predicted)
    support, named = Counter(expected), Counter(answer for answer in predicted if answer is not None)
    return {label: _figures(support[label], named[label], pairs[label, label]) for label in {**support, **named}}


def macro_f1(expected: Sequence[Label], predicted: Sequence[Label | None], least: int = LEAST) -> MacroF1:
    """The mean F1 of the classes that at least so many items expect; the other classes expected are named as unknown.

    An answer that names none of the known classes counts only as a miss of the class expected.
    """
    asked = {label: figures for label, figures in by_class(expected, predicted).items() if figures.support}
    known = [figures.f1 for figures in asked.values() if figures.f1 is not None and figures.support >= least]
    unknown = tuple(label for label, figures in asked.items() if figures.support < least)
    return MacroF1(fmean(known) if known else None, len(known), unknown)


def _figures(support: int, named: int, found: int) -> ClassFigures:
    return ClassFigures(
        support,
        named,
        precision=found / named if named else None,
        recall=found / support if support else None,
        f1=2 * found / (support + named) if support else None,
    )
