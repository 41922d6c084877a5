"""Whether one model is better than another, asked on the same items, and how many items it takes to tell.

Of two models on the same items only those tell that one alone gets right; how often both are right or wrong says
nothing of which is better. "One" and "other" below are the two models, and a difference is one less other.

- McNemar (1947), "Note on the sampling error of the difference between correlated proportions", taken exactly.
- Holm (1979), "A simple sequentially rejective multiple test procedure".
- Newcombe (1998), "Improved confidence intervals for the difference between binomial proportions based on paired
  data", method 10.
- Miettinen (1968), "The matched pairs design in the case of all-or-none responses": how many pairs; Connor (1987),
  "Sample size for testing differences in proportions for the paired-sample design", compares it.
- Edwards (1948), "Note on the correction for continuity in testing the significance of the difference between
  correlated proportions".
- Efron (1979), "Bootstrap methods: another look at the jackknife".
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate, combinations
from math import ceil, exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from review.stats.classification import LEAST
from review.stats.intervals import Estimate, share

ALPHA = 0.05
POWER = 0.80
RESAMPLES = 2_000

_SEED = 1
_AT_ONCE = 250
"""So many resamples are held in memory at a time."""

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

Model = TypeVar("Model", bound=Hashable)
"""Whatever names a model."""


class Verdict(StrEnum):
    """What can be said of one model beside another."""

    BETTER = "better"
    WORSE = "worse"
    INDISTINGUISHABLE = "cannot be told apart"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model beside another on the same n items.

    `only_one` and `only_other` count the items that only one of them got right, p is McNemar's, and `adjusted` is p
    corrected for the number of comparisons. `difference` is that of the accuracies. `items_needed` estimates how many
    items in total would show such a difference; None if there is no difference.
    """

    n: int
    only_one: int
    only_other: int
    p: float
    adjusted: float
    difference: Estimate
    items_needed: int | None

    @property
    def verdict(self) -> Verdict:
        """By the adjusted p, at a level of 5%."""
        if self.adjusted > ALPHA:
            return Verdict.INDISTINGUISHABLE
        return Verdict.BETTER if self.only_one > self.only_other else Verdict.WORSE


def compare(right_one: Sequence[bool], right_other: Sequence[bool]) -> Comparison:
    """Two models on the same items in the same order: whether each got each right. A failure is not right."""
    cells = Counter(zip(map(bool, right_one), map(bool, right_other), strict=True))
    only_one, only_other, n = cells[True, False], cells[False, True], cells.total()
    p = mcnemar(only_one, only_other)
    return Comparison(
        n=n,
        only_one=only_one,
        only_other=only_other,
        p=p,
        adjusted=p,
        difference=paired_difference(cells[True, True], only_one, only_other, cells[False, False]),
        items_needed=items_needed(only_one, only_other, n),
    )


def compare_all(right: Mapping[Model, Sequence[bool]]) -> dict[tuple[Model, Model], Comparison]:
    """Each two of the models, the earlier one first, with p adjusted for how many comparisons there are."""
    pairs = list(combinations(right, 2))
    comparisons = [compare(right[one], right[other]) for one, other in pairs]
    adjusted = holm([comparison.p for comparison in comparisons])
    adjusting = zip(pairs, comparisons, adjusted, strict=True)
    return {pair: replace(comparison, adjusted=p) for pair, comparison, p in adjusting}


def indistinguishable_from_best(
    accuracies: Mapping[Model, float], comparisons: Mapping[tuple[Model, Model], Comparison]
) -> set[Model]:
    """The models that cannot be told apart from the one right most often, it among them; all best ones in a tie.

    A model that any of the best is told apart from is left out. Each two models are compared once, in either order.
    """
    best = {model for model, accuracy in accuracies.items() if accuracy == max(accuracies.values())}
    told = [pair for pair, comparison in comparisons.items() if comparison.verdict is not Verdict.INDISTINGUISHABLE]
    beaten = {model for pair in told for model in pair if best & set(pair)} - best
    return set(accuracies) - beaten


def mcnemar(only_one_right: int, only_other_right: int) -> float:
    """The two-sided p of so uneven a split or one more uneven, were both models equally good. 1 where nothing differs.

    It is exact: twice the tail of the binomial distribution, in logarithms, for it may be too small to add up.
    """
    n, fewer = only_one_right + only_other_right, min(only_one_right, only_other_right)
    down = np.arange(fewer, 0, -1)
    tail = 1 + float(np.cumprod(down / (n - down + 1)).sum())
    largest = lgamma(n + 1) - lgamma(fewer + 1) - lgamma(n - fewer + 1) - n * log(2)
    return min(1.0, exp(log(2) + largest + log(tail)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p as it is to be compared with the level where there are several, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    scaled = (min(1.0, (len(order) - rank) * p_values[at]) for rank, at in enumerate(order))
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return [adjusted[at] for at in range(len(p_values))]


def paired_difference(both: int, only_one: int, only_other: int, neither: int) -> Estimate:
    """By how much one's share right exceeds the other's, of counts of items, with Newcombe's interval."""
    n = both + only_one + only_other + neither
    one, other = share(both + only_one, n), share(both + only_other, n)
    if one.estimate is None or other.estimate is None:
        return Estimate.unknown()
    phi, (one_down, one_up), (other_down, other_up) = (
        _phi(both, only_one, only_other, neither),
        _arms(one),
        _arms(other),
    )
    estimate = (only_one - only_other) / n
    below = sqrt(one_down**2 - 2 * phi * one_down * other_up + other_up**2)
    above = sqrt(one_up**2 - 2 * phi * one_up * other_down + other_down**2)
    return Estimate(estimate, max(estimate - below, -1.0), min(estimate + above, 1.0), n)


def items_needed(
    only_one_right: int, only_other_right: int, n: int, *, power: float = POWER, alpha: float = ALPHA
) -> int | None:
    """About how many items in all would tell apart two models that differ as these do on n. Unknown if they do not.

    It is Miettinen's number for McNemar's test and what Edwards's correction for continuity adds to it, for the exact
    test is about as strict. The difference seen may be far from the true one, so it is a rough guide.
    """
    if only_one_right == only_other_right:
        return None
    discordant, difference = (only_one_right + only_other_right) / n, abs(only_one_right - only_other_right) / n
    level, strength = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    varying = sqrt(discordant**2 - difference**2 * (3 + discordant) / 4)
    pairs = (level * discordant + strength * varying) ** 2 / (discordant * difference**2)
    return ceil(pairs + 2 / difference)


def bootstrap_macro_f1(
    expected: Sequence[Hashable],
    one: Sequence[Hashable | None],
    other: Sequence[Hashable | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = _SEED,
    least: int = LEAST,
) -> Estimate:
    """The difference of macro-F1 on the same items, with the percentile interval of resampled items.

    Its classes are those that at least so many items expect; it is unknown without any. The interval is the same each
    time, and unknown where all resamples are alike, as where both models always agree, for then they tell nothing. It
    is somewhat too narrow where models differ on a handful of items only.
    """
    known = sorted((label for label, count in Counter(expected).items() if count >= least), key=repr)
    if not known:
        return Estimate.unknown(len(expected))
    kinds, numbers = _kinds(known, zip(expected, one, other, strict=True))
    (estimate,) = _differences(numbers.reshape(1, -1), kinds, len(known))
    chance, sizes = np.random.default_rng(seed), [_AT_ONCE] * (resamples // _AT_ONCE) + [resamples % _AT_ONCE]
    draws = (chance.multinomial(len(expected), numbers / numbers.sum(), size=size) for size in sizes)
    drawn = np.concatenate([_differences(draw, kinds, len(known)) for draw in draws])
    low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    told = low < high
    return Estimate(float(estimate), low if told else None, high if told else None, len(expected))


def _arms(figure: Estimate) -> tuple[float, float]:
    """How far the ends of an interval are from the estimate."""
    estimate, low, high = figure.estimate or 0.0, figure.low or 0.0, figure.high or 0.0
    return estimate - low, high - estimate


def _phi(both: int, only_one: int, only_other: int, neither: int) -> float:
    """How far the models are right on the same items: a correlation, and one above 0 drawn towards it by Newcombe."""
    sums = (both + only_one) * (only_other + neither) * (both + only_other) * (only_one + neither)
    excess: float = both * neither - only_one * only_other
    if excess > 0:
        excess = max(excess - (both + only_one + only_other + neither) / 2, 0.0)
    return excess / sqrt(sums) if sums else 0.0


def _kinds(
    known: Sequence[Hashable], triples: Iterator[tuple[Hashable, Hashable | None, Hashable | None]]
) -> tuple[_Ints, _Ints]:
    """The distinct triples, each a row of class numbers, the last for all other classes, and how many of each.

    Items of one kind are alike, so it is enough to draw how many of each. They are in a fixed order, so that the draws
    do not depend on which item came first.
    """
    number = {label: at for at, label in enumerate(known)}
    counts = Counter(tuple(number.get(label, len(known)) for label in triple) for triple in triples)
    kinds = sorted(counts)
    return np.array(kinds, np.int64), np.array([counts[kind] for kind in kinds], np.int64)


def _differences(numbers: _Ints, kinds: _Ints, classes: int) -> _Floats:
    """The difference of macro-F1 in each sample, a row of how many items of each kind it has."""
    samples = numbers.astype(float)
    truth, *answers = (np.equal.outer(column, np.arange(classes)).astype(float) for column in kinds.T)
    support = samples @ truth
    # A class that a sample neither expects nor answers counts as nought for both.
    one, other = (2 * (samples @ (truth * own)) / np.maximum(support + samples @ own, 1) for own in answers)
    difference: _Floats = (one - other).mean(axis=1)
    return difference
