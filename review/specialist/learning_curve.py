"""What more labels are expected to bring: a learning curve, carried on. Pure.

The share that a model gets wrong falls about as a power of the number of labels it learned from, a * n^-b: a straight
line where both scales are logarithmic. It is fitted to what was measured, each point weighted by how much it can be
relied on.

- Cortes et al. (1994), "Learning curves: asymptotic values and rate of convergence".
- Figueroa et al. (2012), "Predicting sample size required for classification performance".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from review.stats.intervals import Estimate

FEWEST_POINTS, FEWEST_FOLD = 4, 2
"""Numbers of labels that must differ, and how many times the least of them the largest must be."""
LABELS_AHEAD = 100

_Z = NormalDist().inv_cdf(0.975)


class Point(NamedTuple):
    """After learning from so many labels, so many of the items were right."""

    labels: int
    right: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """The fitted line: the logarithm of the error at the middle of what was seen, its slope, and their variances."""

    middle: float
    level: float
    slope: float
    level_variance: float
    slope_variance: float
    points: int

    def accuracy(self, labels: float) -> float:
        return 1 - self._error(labels)

    def gain(self, now: int, more: int = LABELS_AHEAD) -> Estimate:
        """By how much the accuracy grows from so many labels to so many more, with its interval, which holds the truth
        19 times in 20 where the law does.
        """
        error, later = self._error(now), self._error(now + more)
        # How the gain moves with the level and with the slope.
        by_level = error - later
        by_slope = error * (log(now) - self.middle) - later * (log(now + more) - self.middle)
        reach = _Z * sqrt(by_level**2 * self.level_variance + by_slope**2 * self.slope_variance)
        gain = error - later
        return Estimate(gain, max(gain - reach, error - 1), min(gain + reach, error), self.points)

    def _error(self, labels: float) -> float:
        return exp(min(self.level + self.slope * (log(labels) - self.middle), 0.0))


def fit_power_law(points: Sequence[Point]) -> PowerLaw | None:
    """The law of these points, oldest first: of those with equally many labels the last counts. None where they are too
    few, or too near to each other, to tell.
    """
    known = {point.labels: point for point in points if point.labels > 0 and point.items > 0}
    if len(known) < FEWEST_POINTS or max(known) < FEWEST_FOLD * min(known):
        return None
    labels, right, items = np.array([*known.values()], float).T
    # Half an item more on either side: of no error there is no logarithm.
    errors = (items - right + 0.5) / (items + 1)
    weights = errors * (items + 1) / (1 - errors)
    x, y = np.log(labels), np.log(errors)
    middle, level = np.average(x, weights=weights), np.average(y, weights=weights)
    spread = (weights * (x - middle) ** 2).sum()
    slope = (weights * (x - middle) * (y - level)).sum() / spread
    surprise = (weights * (y - level - slope * (x - middle)) ** 2).sum() / (len(known) - 2)
    noise = max(surprise, 1.0)
    return PowerLaw(
        middle=float(middle),
        level=float(level),
        slope=float(slope),
        level_variance=float(noise / weights.sum()),
        slope_variance=float(noise / spread),
        points=len(known),
    )
