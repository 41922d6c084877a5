"""Fit a power law to the learning curve and predict what more labels bring. Pure.

A model's error falls roughly as a power of the number of labels it learned from, a * n^-b: a straight line on two
logarithmic scales. The fit weights each point by its precision.

- Cortes et al. (1994), "Learning curves: asymptotic values and rate of convergence".
- Figueroa et al. (2012), "Predicting sample size required for classification performance".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from review.stats.intervals import Estimate

FEWEST_POINTS, FEWEST_FOLD = 4, 2
"""Least number of distinct points, and least ratio of the most labels to the fewest."""
LABELS_AHEAD = 100

_Z = NormalDist().inv_cdf(0.975)


class Point(NamedTuple):
    """A version that learned from `labels` labels was right on `right` of `items` independent items."""

    labels: int
    right: float
    items: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """The fitted line in logarithms: the error's level at the middle of the points, its slope, and their variances."""

    middle: float
    level: float
    slope: float
    level_variance: float
    slope_variance: float
    points: int

    def accuracy(self, labels: float) -> float:
        return 1 - self._error(labels)

    def gain(self, now: int, more: int = LABELS_AHEAD) -> Estimate:
        """The gain in accuracy from `now` labels to `more` labels beyond, with its 95% interval."""
        error, later = self._error(now), self._error(now + more)
        # The gain's derivatives by level and slope.
        by_level = error - later
        by_slope = error * (log(now) - self.middle) - later * (log(now + more) - self.middle)
        reach = _Z * sqrt(by_level**2 * self.level_variance + by_slope**2 * self.slope_variance)
        gain = error - later
        return Estimate(gain, max(gain - reach, error - 1), min(gain + reach, error), self.points)

    def _error(self, labels: float) -> float:
        return exp(min(self.level + self.slope * (log(labels) - self.middle), 0.0))


def fit_power_law(points: Sequence[Point]) -> PowerLaw | None:
    """Fit the law to these points, oldest first; the last of several with equally many labels counts.

    None if the points are too few or too close together.
    """
    known = {point.labels: point for point in points if point.labels > 0 and point.items > 0}
    if len(known) < FEWEST_POINTS or max(known) < FEWEST_FOLD * min(known):
        return None
    labels, right, items = np.array([*known.values()], float).T
    # Half an item more on either side, since zero errors have no logarithm.
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
