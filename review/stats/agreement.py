"""How far reviewers agree. Pure: labels in, estimates out.

Krippendorff (2011), "Computing Krippendorff's alpha-reliability": any number of labels each, some missing, by anybody.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import count

import numpy as np
import numpy.typing as npt

from review.stats.intervals import Estimate
from review.stats.samples import Sample

RELIABLE, TENTATIVE = 0.80, 0.667
"""Krippendorff's limits: labels are reliable from the first, and allow tentative conclusions from the second."""

RESAMPLES = 1_000
MAX_UNDEFINED = 0.05
"""If alpha is undefined in more than this share of the resamples, the interval is unknown."""

_SEED = 1


def raw_agreement(pairs: Sequence[tuple[Hashable, Hashable]], groups: Sequence[int] | None = None) -> Estimate:
    """The share of pairs with equal labels; without `groups` of near-duplicates, no text is like another."""
    sample = Sample.independent(len(pairs)) if groups is None else Sample.drawn([1.0] * len(pairs), groups)
    return sample.share([first == second for first, second in pairs])


def alpha(units: Iterable[Sequence[Hashable | None]], groups: Iterable[int] | None = None) -> Estimate:
    """Krippendorff's alpha of nominal labels, one sequence per unit; None is a missing label.

    Units with fewer than two labels are ignored. Unknown if none is left, or if only one category occurs. The interval
    is from a bootstrap over `groups` of near-duplicates, or over units, with a fixed seed; it is unknown if all
    resamples give the same alpha (as when all units agree), or if too many contain only one category.
    """
    by_group: dict[int, Counter[_Kind]] = {}
    for unit, group in zip(units, count() if groups is None else groups, strict=False):
        kind = tuple(sorted(Counter(label for label in unit if label is not None).items(), key=repr))
        if sum(number for _label, number in kind) > 1:
            by_group.setdefault(group, Counter())[kind] += 1
    kinds = sorted({kind for counts in by_group.values() for kind in counts}, key=repr)
    distinct = Counter(tuple(counts[kind] for kind in kinds) for counts in by_group.values())
    # In a fixed order, so that the draws do not depend on which unit came first.
    rows = sorted(distinct)
    numbers, within = np.array([distinct[row] for row in rows], float), np.array(rows, float)
    table = _table(kinds)
    if not kinds:
        return Estimate.unknown(0)
    n, (estimate,) = int((numbers @ within).sum()), _alphas((numbers @ within).reshape(1, -1), table)
    if np.isnan(estimate):
        return Estimate.unknown(n)
    return Estimate(float(estimate), *_resampled(numbers, within, table), n)


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


def _resampled(numbers: _Floats, within: _Floats, table: _Floats) -> tuple[float | None, float | None]:
    """A bootstrap over groups: those with the same units are interchangeable, so only their counts are drawn."""
    draws = np.random.default_rng(_SEED).multinomial(int(numbers.sum()), numbers / numbers.sum(), size=RESAMPLES)
    alphas = _alphas(draws @ within, table)
    if np.isnan(alphas).mean() > MAX_UNDEFINED:
        return None, None
    low, high = np.nanquantile(alphas, [0.025, 0.975])
    return (float(low), float(high)) if low < high else (None, None)
