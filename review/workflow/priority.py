"""In which order people get tickets. Pure; replace `value` and `most_instructive` to have another order.

First comes what is due soon, by its due time; then what an answer is worth most for. `value` says so of a ticket that
has just come; what waits is looked at all together from time to time, by `most_instructive`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RARE = 200
"""From so many waiting tickets with the same suggestion on, one more is nothing rare."""


class Signals(NamedTuple):
    """What is known of a ticket when it comes to the desk. `confidence` is None where no model could answer."""

    confidence: float | None
    disagreement: bool
    waiting_alike: int
    """How many tickets wait with the same suggested category, counted up to RARE."""


NEIGHBOURS = 20
"""Of a ticket, by whose nearness it counts as typical."""


def random_value(draw: float) -> float:
    """The value of a blind assignment, from a number in [0, 1): its place tells nothing, and lies among those of
    others.
    """
    return 0.5 * draw


def audit_value(turn: int) -> float:
    """The value of an audit, by its turn: the first comes first, for evidence is taken in the order of the draws. It
    tells nothing of what a model said.
    """
    return 0.5 * (1 - turn / 2**52)


def review_value(signals: Signals) -> float:
    """In [0, 1]: half for doubt, 0.3 for models that disagree, 0.2 for a rare suggestion."""
    doubt = 1.0 if signals.confidence is None else 1.0 - signals.confidence
    rarity = 1.0 - min(signals.waiting_alike, RARE) / RARE
    return 0.5 * doubt + 0.3 * signals.disagreement + 0.2 * rarity


def most_informative_first(vectors: Floats, label_issues: Floats, closeness: Floats, first: int) -> list[int]:
    """The order in which answers teach most: what is typical of many, unlike what is labelled or comes before it, and
    in doubt. Near-duplicates of one that comes before go to the end.

    `vectors` are unit vectors of shape (n, width), `label_issues` in [0, 1], `closeness` the cosine to the nearest
    labelled text. Only the `first` places take account of each other; the rest follow by their worth then. Typical and
    diverse after Hacohen, Dekel and Weinshall (2022), "Active learning on a budget"; doubt as the margin between two
    labels.
    """
    typical = _typical(vectors)
    nearest = closeness.copy()
    left = np.ones(len(vectors), bool)
    order: list[int] = []
    for _place in range(min(first, len(vectors))):
        best = int(np.where(left, _worth(typical, label_issues, nearest), -1.0).argmax())
        order.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    rest = np.flatnonzero(left)
    worth = _worth(typical, label_issues, nearest)
    return order + [int(one) for one in rest[np.argsort(-worth[rest], kind="stable")]]


def _worth(typical: Floats, label_issues: Floats, nearest: Floats) -> Floats:
    return np.asarray(typical * np.sqrt(np.clip(1.0 - nearest, 0.0, 1.0)) * label_issues**2, np.float32)


def _typical(vectors: Floats) -> Floats:
    """The mean cosine to the nearest neighbours, in [0, 1]."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    if count < 1:
        return np.ones(len(vectors), np.float32)
    found = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), 500):
        cosines = vectors[start : start + 500] @ vectors.T
        # The nearest one to each is itself.
        nearest = -np.partition(-cosines, count, axis=1)[:, : count + 1]
        found[start : start + 500] = (nearest.sum(axis=1) - nearest.max(axis=1)) / count
    return np.clip(found, 0.0, 1.0)


def interleave(ordered: Sequence[int], drawn_ones: Sequence[int]) -> list[int]:
    """Two orders in one, each spread evenly over the whole, so that of every part people get the same share of each."""
    places = [((number + 0.5) / len(ordered), 0, one) for number, one in enumerate(ordered)]
    places += [((number + 0.5) / len(drawn_ones), 1, one) for number, one in enumerate(drawn_ones)]
    return [one for _place, _which, one in sorted(places)]
