"""How far people agree, and how much a suggestion pulls them. Pure: labels and counts in, figures out.

What is unknown is None, never NaN. No figure is better than its interval, which holds the truth 19 times in 20.

- Wilson (1927), "Probable inference, the law of succession, and statistical inference": a share.
- Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
- Cohen (1960), "A coefficient of agreement for nominal scales": two labels each, corrected for chance.
- Krippendorff (2011), "Computing Krippendorff's alpha-reliability": any number of labels each, some missing.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

RELIABLE, TENTATIVE = 0.80, 0.667
"""Krippendorff's limits: from the first on labels may be relied on, from the second on for tentative conclusions."""

RESAMPLES = 1_000
UNDEFINED = 0.05
"""Where more than this share of the resamples tells nothing, they tell no interval."""

_Z = NormalDist().inv_cdf(0.975)
_SEED = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, the ends of its 95% interval, and the number of observations that it rests on."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int


def share(hits: int, n: int) -> Estimate:
    """Hits among n, with Wilson's interval, which stays within 0 and 1 and is never empty. Unknown of none."""
    return Estimate(hits / n, *wilson(hits, n), n) if n else _unknown(0)


def difference(hits: int, n: int, other_hits: int, other_n: int) -> Estimate:
    """By how much one share exceeds an independent one, with Newcombe's interval. Unknown where either is of none."""
    if not n or not other_n:
        return _unknown(n + other_n)
    (low, high), (other_low, other_high) = wilson(hits, n), wilson(other_hits, other_n)
    one, other = hits / n, other_hits / other_n
    below = sqrt((one - low) ** 2 + (other_high - other) ** 2)
    above = sqrt((high - one) ** 2 + (other - other_low) ** 2)
    return Estimate(one - other, one - other - below, one - other + above, n + other_n)


def raw(pairs: Sequence[tuple[Hashable, Hashable]]) -> Estimate:
    """The share of pairs whose labels are the same."""
    return share(sum(one == other for one, other in pairs), len(pairs))


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> Estimate:
    """Cohen's kappa; the first labels count as one rater's, the second as another's.

    Unknown without pairs, and where both raters used one and the same category only, for then chance explains all.
    The interval is that of the raw agreement with the part of chance held fixed, as Cohen has it, but by Wilson
    rather than by the normal curve, which is far too narrow where nearly all pairs agree.
    """
    n, agreed = len(pairs), sum(one == other for one, other in pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in first) / (n * n or 1)
    if not n or chance == 1:
        return _unknown(n)
    estimate, low, high = ((value - chance) / (1 - chance) for value in (agreed / n, *wilson(agreed, n)))
    return Estimate(estimate, max(low, -1.0), high, n)


def alpha(units: Iterable[Sequence[Hashable | None]]) -> Estimate:
    """Krippendorff's alpha of nominal labels, one sequence for each unit; a label that is None is missing.

    Units with fewer than two labels count for nothing. Unknown without any other, and where there is one category only.
    The interval is that of a bootstrap over units, the same each time. It is unknown where all resamples are alike, as
    when all units agree, for then they tell nothing, and where too many have one category only.
    """
    kinds = Counter(tuple(sorted(Counter(filter(_given, unit)).items(), key=repr)) for unit in units)
    # In a fixed order, so that the draws do not depend on which unit came first.
    pairable = [one for one in sorted(kinds.items(), key=repr) if sum(count for _, count in one[0]) > 1]
    numbers, table = np.array([number for _, number in pairable], float), _table([kind for kind, _ in pairable])
    n, (estimate,) = int(numbers.sum()), _alphas(numbers.reshape(1, -1), table)
    return _unknown(n) if np.isnan(estimate) else Estimate(float(estimate), *_resampled(numbers, table), n)


def _unknown(n: int) -> Estimate:
    return Estimate(None, None, None, n)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """The ends of the 95% interval of a share. Wilson (1927)."""
    p, squared = hits / n, _Z * _Z / n
    centre = (p + squared / 2) / (1 + squared)
    half = _Z / (1 + squared) * sqrt(p * (1 - p) / n + squared / (4 * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)


_Kind = tuple[tuple[Hashable, int], ...]
"""The labels of a unit, each with how often it was given."""

_Floats = npt.NDArray[np.float64]


def _given(label: Hashable | None) -> bool:
    return label is not None


def _table(kinds: Sequence[_Kind]) -> _Floats:
    """A row for each kind of unit, a column for each category: how often it was given."""
    rows = [dict(kind) for kind in kinds]
    labels = list(dict.fromkeys(label for row in rows for label in row))
    return np.array([[row.get(label, 0) for label in labels] for row in rows], float).reshape(len(rows), len(labels))


def _alphas(numbers: _Floats, table: _Floats) -> _Floats:
    """Alpha of each sample, a row of how many units of each kind it has; NaN where it has one category only."""
    sizes = table.sum(axis=1)
    disagreeing = (sizes**2 - (table**2).sum(axis=1)) / (sizes - 1)
    total = numbers @ sizes
    by_chance = total**2 - ((numbers @ table) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore"):
        alphas: _Floats = 1 - (total - 1) * (numbers @ disagreeing) / by_chance
    return alphas


def _resampled(numbers: _Floats, table: _Floats) -> tuple[float | None, float | None]:
    """Units are drawn anew with replacement; units of one kind are alike, so it is enough to draw how many of each."""
    draws = np.random.default_rng(_SEED).multinomial(int(numbers.sum()), numbers / numbers.sum(), size=RESAMPLES)
    alphas = _alphas(draws.astype(float), table)
    if np.isnan(alphas).mean() > UNDEFINED:
        return None, None
    low, high = np.nanquantile(alphas, [0.025, 0.975])
    return (float(low), float(high)) if low < high else (None, None)
