"""Decides the order of the queue. Pure: replace `review_value` and `most_informative_first` for another order.

Tickets due soon come first; then those whose answer teaches most. `review_value` ranks a new ticket;
`most_informative_first` reorders all waiting tickets from time to time.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RARE = 200
"""A category with this many waiting tickets is not rare."""


class Signals(NamedTuple):
    """Inputs of a ticket's priority. `confidence` is None if no model could answer."""

    confidence: float | None
    disagreement: bool
    waiting_in_category: int
    """Waiting tickets with the same suggested category, counted up to RARE."""


NEIGHBOURS = 20
"""Neighbours that measure how typical a text is."""


def random_value(draw: float) -> float:
    """The value of a blind assignment from a draw in [0, 1): its place in the queue must reveal nothing."""
    return 0.5 * draw


def audit_value(turn: int) -> float:
    """The value of an audit: earlier draws first, because evidence is counted in that order."""
    return 0.5 * (1 - turn / 2**52)


def review_value(signals: Signals) -> float:
    """In [0, 1]: 0.5 for low confidence, 0.3 for a disagreement of models, 0.2 for a rare category."""
    uncertainty = 1.0 if signals.confidence is None else 1.0 - signals.confidence
    rarity = 1.0 - min(signals.waiting_in_category, RARE) / RARE
    return 0.5 * uncertainty + 0.3 * signals.disagreement + 0.2 * rarity


def most_informative_first(vectors: Floats, uncertainty: Floats, closeness: Floats, first: int) -> list[int]:
    """Order texts by how much their labels would teach: typical, uncertain, and unlike labelled or earlier texts.

    `vectors` are unit vectors of shape (n, width), `uncertainty` is in [0, 1], `closeness` is the cosine to the nearest
    labelled text. Only the `first` places take account of each other; the rest follow by value. Typical and diverse
    after Hacohen, Dekel and Weinshall (2022), "Active learning on a budget"; uncertainty is the margin of two labels.
    """
    typical = _typicality(vectors)
    nearest = closeness.copy()
    left = np.ones(len(vectors), bool)
    order: list[int] = []
    for _place in range(min(first, len(vectors))):
        best = int(np.where(left, _information_value(typical, uncertainty, nearest), -1.0).argmax())
        order.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    rest = np.flatnonzero(left)
    worth = _information_value(typical, uncertainty, nearest)
    return order + [int(index) for index in rest[np.argsort(-worth[rest], kind="stable")]]


def _information_value(typical: Floats, uncertainty: Floats, nearest: Floats) -> Floats:
    return np.asarray(typical * np.sqrt(np.clip(1.0 - nearest, 0.0, 1.0)) * uncertainty**2, np.float32)


def _typicality(vectors: Floats) -> Floats:
    """The mean cosine to the nearest neighbours, in [0, 1]."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    if count < 1:
        return np.ones(len(vectors), np.float32)
    typicality = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), 500):
        cosines = vectors[start : start + 500] @ vectors.T
        # The nearest one to each is itself.
        nearest = -np.partition(-cosines, count, axis=1)[:, : count + 1]
        typicality[start : start + 500] = (nearest.sum(axis=1) - nearest.max(axis=1)) / count
    return np.clip(typicality, 0.0, 1.0)


def interleave(ordered: Sequence[int], drawn: Sequence[int]) -> list[int]:
    """Merge two orders evenly, so that every stretch of the queue has the same share of each."""
    positions = [((number + 0.5) / len(ordered), 0, item) for number, item in enumerate(ordered)]
    positions += [((number + 0.5) / len(drawn), 1, item) for number, item in enumerate(drawn)]
    return [item for _place, _which, item in sorted(positions)]
