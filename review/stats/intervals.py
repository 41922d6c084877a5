"""Shares and differences of shares, with 95% intervals. Pure.

- Wilson (1927), "Probable inference, the law of succession, and statistical inference": a share.
- Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
"""

from dataclasses import dataclass
from math import sqrt
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

    def complement(self) -> "Estimate":
        """The share of the others."""
        estimate, low, high = (None if share is None else 1 - share for share in (self.estimate, self.high, self.low))
        return Estimate(estimate, low, high, self.n)


def share(hits: float, n: float) -> Estimate:
    """Hits among n with Wilson's interval, which stays within 0 and 1 and is never empty. Unknown if n is 0."""
    return Estimate(hits / n, *wilson(hits, n), round(n)) if n else Estimate.unknown()


def difference(hits: int, n: int, other_hits: int, other_n: int) -> Estimate:
    """The difference of two independent shares, with Newcombe's interval. Unknown if either n is 0."""
    if not n or not other_n:
        return Estimate.unknown(n + other_n)
    (low, high), (other_low, other_high) = wilson(hits, n), wilson(other_hits, other_n)
    first, other = hits / n, other_hits / other_n
    below = sqrt((first - low) ** 2 + (other_high - other) ** 2)
    above = sqrt((high - first) ** 2 + (other - other_low) ** 2)
    return Estimate(first - other, first - other - below, first - other + above, n + other_n)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """The ends of the 95% interval of a share, from its hits."""
    p, squared = hits / n, _Z * _Z / n
    centre = (p + squared / 2) / (1 + squared)
    half = _Z / (1 + squared) * sqrt(p * (1 - p) / n + squared / (4 * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)
