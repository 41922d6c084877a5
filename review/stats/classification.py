"""Confusion, precision, recall and F1 of a classifier, by class and as a macro average. Pure.

An item has one expected class and one answer, which is None if the model gave none.

- van Rijsbergen (1979), "Information Retrieval", chapter 7: F1, the harmonic mean of precision and recall.
- Opitz and Burst (2019), "Macro F1 and Macro F1": the mean of the classes' F1, not the F1 of their means.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

LEAST = 10
"""The F1 of a class with fewer expected items means next to nothing."""

Label = TypeVar("Label", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: the items that expect it, the answers that name it, and shares from 0 to 1.

    Precision is None if no answer names it; recall and F1 are None if no item expects it.
    """

    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean F1 of the `known` classes, those with enough items; None if there are none. `unknown` lists the other
    expected ones.
    """

    value: float | None
    known: int
    unknown: tuple[Hashable, ...]


def confusion(expected: Sequence[Label], predicted: Sequence[Label | None]) -> Counter[tuple[Label, Label | None]]:
    """The number of items by expected class and answer."""
    return Counter(zip(expected, predicted, strict=True))


def by_class(
    expected: Sequence[Label], predicted: Sequence[Label | None], weights: Sequence[float] | None = None
) -> dict[Label, ClassFigures]:
    """The figures of every class that is expected or answered, expected ones first.

    The shares count each item by its weight; without weights, all items count alike.
    """
    support, named = Counter(expected), Counter(answer for answer in predicted if answer is not None)
    asked, answered, hits = (defaultdict[Label, float](float) for _sum in range(3))
    for wanted, answer, weight in zip(expected, predicted, weights or [1.0] * len(expected), strict=True):
        asked[wanted] += weight
        if answer is not None:
            answered[answer] += weight
        if answer == wanted:
            hits[wanted] += weight
    return {
        label: ClassFigures(
            support[label],
            named[label],
            precision=hits[label] / answered[label] if label in answered else None,
            recall=hits[label] / asked[label] if label in asked else None,
            f1=2 * hits[label] / (asked[label] + answered[label]) if label in asked else None,
        )
        for label in {**support, **named}
    }


def macro_f1(
    expected: Sequence[Label],
    predicted: Sequence[Label | None],
    least: int = LEAST,
    weights: Sequence[float] | None = None,
) -> MacroF1:
    """The mean F1 of the classes with at least `least` expected items."""
    classes = by_class(expected, predicted, weights)
    asked = {label: figures for label, figures in classes.items() if figures.support}
    known = [figures.f1 for figures in asked.values() if figures.f1 is not None and figures.support >= least]
    unknown = tuple(label for label, figures in asked.items() if figures.support < least)
    return MacroF1(fmean(known) if known else None, len(known), unknown)
