"""Which tickets the items of a benchmark stand for.

Tickets that needed review are harder than the rest, so figures for all tickets come from those alone that were drawn at
random from all arrivals, each weighted by the inverse of its probability.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from review.models import GoldLabel
from review.stats.samples import Bools, Sample

FEWEST_DRAWN = 30
"""Randomly drawn items from which figures stand for all tickets; fewer tell next to nothing."""
_REVIEWED = (GoldLabel.Origin.DECISION, GoldLabel.Origin.BLIND)


class Population(StrEnum):
    """All tickets that arrive, those that needed review, or the labels of a file, whatever these stand for."""

    ALL = "all"
    HELD = "held"
    GIVEN = "given"


def offers_threshold(figures: Mapping[str, Any]) -> bool:
    """Whether a threshold may be chosen by a contender's figures: held tickets say nothing about the others."""
    return bool(figures["population"] != Population.HELD)


class ItemSource(NamedTuple):
    """The origin of an item's label, the probability with which it was drawn, and its group of near-duplicates."""

    origin: str
    share: float
    group: int

    @property
    def is_drawn(self) -> bool:
        return self.origin in GoldLabel.DRAWN


class Measured(NamedTuple):
    """What figures are computed on: a mask of the items, and these as a sample of their population."""

    population: Population
    rows: Bools
    sample: Sample


def measured(sources: Sequence[ItemSource]) -> Measured:
    """The drawn items if there are enough of them, else all items, which then count alike."""
    rows = np.array([source.is_drawn for source in sources], bool)
    population = Population.ALL
    if rows.sum() < FEWEST_DRAWN:
        rows = np.ones(len(sources), bool)
        held = any(source.origin in _REVIEWED or source.is_drawn for source in sources)
        population = Population.HELD if held else Population.GIVEN
    groups = [source.group for source in sources]
    shares = [source.share if population is Population.ALL else 1.0 for source in sources]
    return Measured(population, rows, Sample.drawn(shares, groups).part(rows))
