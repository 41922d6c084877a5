"""Percentiles. Pure.

- Hyndman and Fan (1996), "Sample quantiles in statistical packages", definition 7.
"""

from collections.abc import Sequence
from math import floor


def percentile(values: Sequence[float], q: float) -> float | None:
    """The q-th percentile, q from 0 to 100, interpolated linearly. None without values."""
    if not 0 <= q <= 100:
        raise ValueError("A percentile is from 0 to 100.")
    if not len(values):
        return None
    ordered, place = sorted(values), (len(values) - 1) * q / 100
    low, high = ordered[floor(place)], ordered[min(floor(place) + 1, len(values) - 1)]
    return low + (high - low) * (place - floor(place))
