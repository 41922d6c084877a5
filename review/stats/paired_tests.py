"""Compare models on the same items, and estimate how many items it takes to tell them apart.

Only the items that exactly one of two models gets right show which is better. Differences are first minus second.

- McNemar (1947), "Note on the sampling error of the difference between correlated proportions", taken exactly.
- Fisher (1935), "The design of experiments": the randomization test, here McNemar's by group.
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

from review.stats.classification import LEAST
from review.stats.intervals import Estimate, share
from review.stats.samples import Floats, Ints, Sample

ALPHA = 0.05
POWER = 0.80
RESAMPLES = 2_000
SIGN_FLIPS = 20_000

_SEED = 1
_AT_ONCE = 250
"""Resamples held in memory at a time."""

Model = TypeVar("Model", bound=Hashable)
"""Any name of a model."""


class Verdict(StrEnum):
    """The first model compared with the second."""

    BETTER = "better"
    WORSE = "worse"
    INDISTINGUISHABLE = "cannot be told apart"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same n items.

    `only_first` and `only_second` count the items that only that model got right, p is McNemar's by group, and
    `adjusted` is p corrected for the number of comparisons. `difference` is that of the accuracies. `items_needed`
    estimates how many items in total would show such a difference; None if there is no difference.
    """

    n: int
    only_first: int
    only_second: int
    p: float
    adjusted: float
    difference: Estimate
    items_needed: int | None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the adjusted p at a level of 5%."""
        if self.adjusted > ALPHA:
            return Verdict.INDISTINGUISHABLE
        return Verdict.BETTER if (self.difference.estimate or 0.0) > 0 else Verdict.WORSE


def compare(first: Sequence[bool], second: Sequence[bool], sample: Sample | None = None) -> Comparison:
    """Compare two models by whether each got each item right, in the same order. A failure counts as wrong.

    Without a `sample` the items are independent and count alike.
    """
    sample = sample or Sample.independent(len(first))
    one, other = np.array([*zip(first, second, strict=True)], bool).reshape(-1, 2).T
    if not len(sample):
        return Comparison(0, 0, 0, 1.0, 1.0, Estimate.unknown(), None)
    alone = one.astype(float) - other
    size = sample.effective_size(alone)
    cells = [size * (sample.mean(cell) or 0.0) for cell in (one & other, one & ~other, ~one & other, ~one & ~other)]
    needed = items_needed(cells[1], cells[2], size)
    p = sign_flip(sample.by_group(alone))
    return Comparison(
        n=len(sample),
        only_first=int((alone > 0).sum()),
        only_second=int((alone < 0).sum()),
        p=p,
        adjusted=p,
        difference=replace(paired_difference(*cells), n=len(sample)),
        items_needed=None if needed is None else ceil(needed * len(sample) / size),
    )


def compare_all(
    right: Mapping[Model, Sequence[bool]], sample: Sample | None = None
) -> dict[tuple[Model, Model], Comparison]:
    """Compare every pair of models, with p adjusted for the number of comparisons."""
    pairs = list(combinations(right, 2))
    comparisons = [compare(right[first], right[second], sample) for first, second in pairs]
    adjusted = holm([comparison.p for comparison in comparisons])
    adjusting = zip(pairs, comparisons, adjusted, strict=True)
    return {pair: replace(comparison, adjusted=p) for pair, comparison, p in adjusting}


def indistinguishable_from_best(
    accuracies: Mapping[Model, float], comparisons: Mapping[tuple[Model, Model], Comparison]
) -> set[Model]:
    """The models with the highest accuracy, and those that cannot be told apart from any of them."""
    best = {model for model, accuracy in accuracies.items() if accuracy == max(accuracies.values())}
    decided = [pair for pair, comparison in comparisons.items() if comparison.verdict is not Verdict.INDISTINGUISHABLE]
    beaten = {model for pair in decided for model in pair if best & set(pair)} - best
    return set(accuracies) - beaten


def sign_flip(differences: Floats) -> float:
    """The two-sided p of a sum this far from 0 if each group's difference could as well have the other sign.

    It is exact where all differences are equally large; else from random signs with a fixed seed.
    """
    told = differences[differences != 0]
    sizes = np.abs(told)
    if not len(told) or np.allclose(sizes, sizes[0]):
        return mcnemar(int((told > 0).sum()), int((told < 0).sum()))
    chance, beyond = np.random.default_rng(_SEED), 0
    for _turn in range(SIGN_FLIPS // _AT_ONCE):
        sums = chance.choice([-1.0, 1.0], size=(_AT_ONCE, len(told))) @ sizes
        beyond += int((np.abs(sums) >= abs(told.sum()) - 1e-9).sum())
    return (1 + beyond) / (1 + SIGN_FLIPS)


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """The exact two-sided p of a split this uneven if both models were equally good; 1 without differences.

    It is twice the tail of the binomial distribution, in logarithms to avoid underflow.
    """
    n, fewer = only_first_right + only_second_right, min(only_first_right, only_second_right)
    down = np.arange(fewer, 0, -1)
    tail = 1 + float(np.cumprod(down / (n - down + 1)).sum())
    largest = lgamma(n + 1) - lgamma(fewer + 1) - lgamma(n - fewer + 1) - n * log(2)
    return min(1.0, exp(log(2) + largest + log(tail)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    scaled = (min(1.0, (len(order) - rank) * p_values[at]) for rank, at in enumerate(order))
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return [adjusted[at] for at in range(len(p_values))]


def paired_difference(both: float, only_first: float, only_second: float, neither: float) -> Estimate:
    """The difference of two accuracies on the same items, from counts of items, with Newcombe's interval."""
    n = both + only_first + only_second + neither
    first, second = share(both + only_first, n), share(both + only_second, n)
    if first.estimate is None or second.estimate is None:
        return Estimate.unknown()
    phi, (first_down, first_up), (second_down, second_up) = (
        _phi(both, only_first, only_second, neither),
        first.arms,
        second.arms,
    )
    estimate = (only_first - only_second) / n
    below = sqrt(first_down**2 - 2 * phi * first_down * second_up + second_up**2)
    above = sqrt(first_up**2 - 2 * phi * first_up * second_down + second_down**2)
    return Estimate(estimate, max(estimate - below, -1.0), min(estimate + above, 1.0), round(n))


def items_needed(
    only_first_right: float, only_second_right: float, n: float, *, power: float = POWER, alpha: float = ALPHA
) -> int | None:
    """About how many items in total would tell apart two models that differ as these do on n. None if they do not.

    Miettinen's number for McNemar's test, plus what Edwards's correction for continuity adds, since the exact test is
    about as strict. The observed difference may be far from the true one, so this is a rough guide.
    """
    if only_first_right == only_second_right:
        return None
    discordant, difference = (only_first_right + only_second_right) / n, abs(only_first_right - only_second_right) / n
    level, strength = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    varying = sqrt(discordant**2 - difference**2 * (3 + discordant) / 4)
    pairs = (level * discordant + strength * varying) ** 2 / (discordant * difference**2)
    return ceil(pairs + 2 / difference)


def bootstrap_macro_f1(
    expected: Sequence[Hashable],
    first: Sequence[Hashable | None],
    second: Sequence[Hashable | None],
    sample: Sample | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = _SEED,
    least: int = LEAST,
) -> Estimate:
    """The difference of macro-F1 on the same items, with the percentile interval of a bootstrap over groups of items.

    It covers classes with at least `least` expected items and is unknown without any. The seed is fixed. The interval
    is unknown if all resamples are alike, and somewhat too narrow if models differ on only a handful of items.
    """
    known = sorted((label for label, count in Counter(expected).items() if count >= least), key=repr)
    if not known:
        return Estimate.unknown(len(expected))
    triples = zip(expected, first, second, strict=True)
    kinds, table, numbers = _kinds(known, triples, sample or Sample.independent(len(expected)))
    (estimate,) = _differences((numbers @ table).reshape(1, -1), kinds, len(known))
    chance, sizes = np.random.default_rng(seed), [_AT_ONCE] * (resamples // _AT_ONCE) + [resamples % _AT_ONCE]
    draws = (chance.multinomial(numbers.sum(), numbers / numbers.sum(), size=size) for size in sizes)
    drawn = np.concatenate([_differences(draw @ table, kinds, len(known)) for draw in draws])
    low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    spread = low < high
    return Estimate(float(estimate), low if spread else None, high if spread else None, len(expected))


def _phi(both: float, only_first: float, only_second: float, neither: float) -> float:
    """The correlation of being right, with Newcombe's correction towards 0 if it is positive."""
    sums = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    excess: float = both * neither - only_first * only_second
    if excess > 0:
        excess = max(excess - (both + only_first + only_second + neither) / 2, 0.0)
    return excess / sqrt(sums) if sums else 0.0


def _kinds(
    known: Sequence[Hashable], triples: Iterator[tuple[Hashable, Hashable | None, Hashable | None]], sample: Sample
) -> tuple[Ints, Floats, Ints]:
    """The distinct triples as rows of class numbers, the last number for all other classes; the weight of each triple
    in each distinct group; and how often such a group occurs.

    They are sorted, so that the resamples do not depend on the order of items.
    """
    number = {label: at for at, label in enumerate(known)}
    rows = np.array([[number.get(label, len(known)) for label in triple] for triple in triples], np.int64)
    kinds, of_kind = np.unique(rows, axis=0, return_inverse=True)
    groups = [dict[int, float]() for _group in range(sample.groups.max() + 1)]
    for group, kind, weight in zip(sample.groups.tolist(), of_kind.ravel().tolist(), sample.weights, strict=True):
        groups[group][kind] = groups[group].get(kind, 0.0) + float(weight)
    distinct = sorted(Counter(tuple(sorted(group.items())) for group in groups if group).items())
    table = np.zeros((len(distinct), len(kinds)))
    for row, (group, _count) in enumerate(distinct):
        table[row, [kind for kind, _weight in group]] = [weight for _kind, weight in group]
    return kinds, table, np.array([count for _group, count in distinct], np.int64)


def _differences(samples: Floats, kinds: Ints, classes: int) -> Floats:
    """The difference of macro-F1 in each sample, a row of weights by kind."""
    truth, *answers = (np.equal.outer(column, np.arange(classes)).astype(float) for column in kinds.T)
    support = samples @ truth
    # A class that a sample neither expects nor answers counts as 0 for both models.
    first, second = (2 * (samples @ (truth * own)) / np.maximum(support + samples @ own, 1e-9) for own in answers)
    difference: Floats = (first - second).mean(axis=1)
    return difference
