"""How times and other amounts spread.

- Hyndman and Fan (1996), "Sample quantiles in statistical packages", definition 7: what lies between two values.
"""

from collections.abc import Sequence
from math import floor


def percentile(values: Sequence[float], q: float) -> float | None:
    """The value that q percent of the values do not exceed, in their unit; q is from 0 to 100. Unknown of none.

    Between two values it is on the line from one to the other.
    """
    if not 0 <= q <= 100:
        raise ValueError("A percentile is from 0 to 100.")
    if not len(values):
        return None
    ordered, place = sorted(values), (len(values) - 1) * q / 100
    low, high = ordered[floor(place)], ordered[min(floor(place) + 1, len(values) - 1)]
    return low + (high - low) * (place - floor(place))
