"""Shares and differences of shares, with 95% intervals. Pure.

- Wilson (1927), "Probable inference, the law of succession, and statistical inference": a share.
- Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
"""

from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate, the ends of its 95% interval, and the number of observations; unknown is None, never NaN."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def unknown(cls, n: int = 0) -> "Estimate":
        return cls(None, None, None, n)

    @property
    def arms(self) -> tuple[float, float]:
        """The distances of the ends of the interval from the estimate."""
        estimate, low, high = self.estimate or 0.0, self.low or 0.0, self.high or 0.0
        return estimate - low, high - estimate

    def complement(self) -> "Estimate":
        """The share of the others."""
        estimate, low, high = (None if share is None else 1 - share for share in (self.estimate, self.high, self.low))
        return Estimate(estimate, low, high, self.n)


def share(hits: float, n: float) -> Estimate:
    """Hits among n with Wilson's interval, which stays within 0 and 1 and is never empty. Unknown if n is 0."""
    return Estimate(hits / n, *wilson(hits, n), round(n)) if n else Estimate.unknown()


def difference(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two independent shares, with Newcombe's interval. Unknown if either is."""
    n = one.n + other.n
    if one.estimate is None or other.estimate is None:
        return Estimate.unknown(n)
    (below, above), (other_below, other_above) = one.arms, other.arms
    gap = one.estimate - other.estimate
    return Estimate(gap, gap - hypot(below, other_above), gap + hypot(above, other_below), n)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """The ends of the 95% interval of a share, from its hits."""
    p, squared = hits / n, _Z * _Z / n
    centre = (p + squared / 2) / (1 + squared)
    half = _Z / (1 + squared) * sqrt(p * (1 - p) / n + squared / (4 * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)
