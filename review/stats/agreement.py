"""How far reviewers agree. Pure: labels in, estimates out.

- Cohen (1960), "A coefficient of agreement for nominal scales": two labels each, corrected for chance.
- Krippendorff (2011), "Computing Krippendorff's alpha-reliability": any number of labels each, some missing.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from review.stats.intervals import Estimate, share, wilson

RELIABLE, TENTATIVE = 0.80, 0.667
"""Krippendorff's limits: labels are reliable from the first, and allow tentative conclusions from the second."""

RESAMPLES = 1_000
MAX_UNDEFINED = 0.05
"""If alpha is undefined in more than this share of the resamples, the interval is unknown."""

_SEED = 1


def raw_agreement(pairs: Sequence[tuple[Hashable, Hashable]]) -> Estimate:
    """The share of pairs with equal labels."""
    return share(sum(first == second for first, second in pairs), len(pairs))


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> Estimate:
    """Cohen's kappa; the first labels are one rater's, the second ones another's.

    Unknown without pairs, and if both raters used the same single category: then chance explains everything.
    The interval is that of the raw agreement with chance agreement held fixed (Cohen), but Wilson's: the normal one
    is far too narrow when nearly all pairs agree.
    """
    n, agreed = len(pairs), sum(first == second for first, second in pairs)
    firsts, seconds = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    chance = sum(firsts[label] * seconds[label] for label in firsts) / (n * n or 1)
    if not n or chance == 1:
        return Estimate.unknown(n)
    estimate, low, high = ((value - chance) / (1 - chance) for value in (agreed / n, *wilson(agreed, n)))
    return Estimate(estimate, max(low, -1.0), high, n)


def alpha(units: Iterable[Sequence[Hashable | None]]) -> Estimate:
    """Krippendorff's alpha of nominal labels, one sequence per unit; None is a missing label.

    Units with fewer than two labels are ignored. Unknown if none is left, or if only one category occurs. The interval
    is from a bootstrap over units with a fixed seed; it is unknown if all resamples give the same alpha (as when all
    units agree), or if too many contain only one category.
    """
    kinds = Counter(
        tuple(sorted(Counter(label for label in unit if label is not None).items(), key=repr)) for unit in units
    )
    # In a fixed order, so that the draws do not depend on which unit came first.
    pairable = [item for item in sorted(kinds.items(), key=repr) if sum(count for _, count in item[0]) > 1]
    numbers, table = np.array([number for _, number in pairable], float), _table([kind for kind, _ in pairable])
    n, (estimate,) = int(numbers.sum()), _alphas(numbers.reshape(1, -1), table)
    return Estimate.unknown(n) if np.isnan(estimate) else Estimate(float(estimate), *_resampled(numbers, table), n)


_Kind = tuple[tuple[Hashable, int], ...]
"""The labels of a unit, each with its count."""

_Floats = npt.NDArray[np.float64]


def _table(kinds: Sequence[_Kind]) -> _Floats:
    """Counts by kind of unit (rows) and category (columns)."""
    rows = [dict(kind) for kind in kinds]
    labels = list(dict.fromkeys(label for row in rows for label in row))
    return np.array([[row.get(label, 0) for label in labels] for row in rows], float).reshape(len(rows), len(labels))


def _alphas(numbers: _Floats, table: _Floats) -> _Floats:
    """Alpha of each sample (a row of unit counts by kind); NaN if it contains only one category."""
    sizes = table.sum(axis=1)
    disagreeing = (sizes**2 - (table**2).sum(axis=1)) / (sizes - 1)
    total = numbers @ sizes
    by_chance = total**2 - ((numbers @ table) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore"):
        alphas: _Floats = 1 - (total - 1) * (numbers @ disagreeing) / by_chance
    return alphas


def _resampled(numbers: _Floats, table: _Floats) -> tuple[float | None, float | None]:
    """A bootstrap over units: units of one kind are interchangeable, so only their counts are drawn."""
    draws = np.random.default_rng(_SEED).multinomial(int(numbers.sum()), numbers / numbers.sum(), size=RESAMPLES)
    alphas = _alphas(draws.astype(float), table)
    if np.isnan(alphas).mean() > MAX_UNDEFINED:
        return None, None
    low, high = np.nanquantile(alphas, [0.025, 0.975])
    return (float(low), float(high)) if low < high else (None, None)
