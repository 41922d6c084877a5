"""The figures of agreement: published examples, the definitions word by word, another's implementation, coverage."""

import random
from collections.abc import Sequence
from itertools import product
from statistics import quantiles

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from review.stats.agreement import alpha, raw_agreement
from review.stats.intervals import Estimate, difference, share

pytestmark = pytest.mark.once

Pairs = list[tuple[str, str]]
LABELS = st.sampled_from("abcd")
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)
UNITS = st.lists(st.lists(st.one_of(LABELS, st.none()), min_size=4, max_size=4), max_size=25)

FOUR_OBSERVERS = [
    "123321412...",
    "1233224125.3",
    ".3332342251.",
    "12332441251.",
]
"""Krippendorff (2011), section C: four observers, twelve units, answers missing."""

COHEN = [("a", [88, 14, 18]), ("b", [10, 40, 10]), ("c", [2, 6, 12])]
"""Cohen (1960), of 200 people judged by two."""


def units_of(observers: Sequence[str]) -> list[list[str | None]]:
    units = zip(*map(list, observers), strict=True)
    return [[None if value == "." else value for value in unit] for unit in units]


def interval(figure: Estimate) -> list[float]:
    assert figure.low is not None
    assert figure.high is not None
    return [figure.low, figure.high]


# Published examples


@pytest.mark.parametrize(
    ("observers", "published"),
    [
        (FOUR_OBSERVERS, 0.743),
        (["aabbdcccedda", "babbbccceddd"], 0.692),
        (["0100000010", "1110010000"], 0.095),
    ],
)
def test_alpha_equals_krippendorffs_published_examples(observers: list[str], published: float) -> None:
    assert alpha(units_of(observers)).estimate == pytest.approx(published, abs=0.0005)


def test_units_with_one_label_are_ignored() -> None:
    assert alpha(units_of(FOUR_OBSERVERS)).n == 11


@pytest.mark.parametrize(
    ("hits", "n", "published"),
    [(81, 263, [0.2553, 0.3662]), (15, 148, [0.0624, 0.1605]), (0, 20, [0, 0.1611]), (1, 29, [0.0061, 0.1718])],
)
def test_shares_have_wilsons_interval(hits: int, n: int, published: list[float]) -> None:
    figure = share(hits, n)
    assert figure.estimate == hits / n
    assert interval(figure) == pytest.approx(published, abs=0.00006)


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        ((56, 70, 48, 80), [0.0524, 0.3339]),
        ((9, 10, 3, 10), [0.1705, 0.8090]),
        ((5, 56, 0, 29), [-0.0381, 0.1926]),
        ((0, 10, 0, 20), [-0.1611, 0.2775]),
        ((10, 10, 0, 20), [0.6791, 1.0]),
    ],
)
def test_differences_have_newcombes_interval(counts: tuple[int, int, int, int], published: list[float]) -> None:
    hits, n, other_hits, other_n = counts
    figure = difference(share(hits, n), share(other_hits, other_n))
    hits, n, other_hits, other_n = counts
    assert figure.estimate == hits / n - other_hits / other_n
    assert figure.n == n + other_n
    assert interval(figure) == pytest.approx(published, abs=0.00006)


# Definitions, word by word


def disagreement_within(units: list[list[str]]) -> float:
    """Krippendorff's observed disagreement, each pair of labels weighted by the number of labels of its unit."""
    total = sum(len(unit) for unit in units)
    by_unit = (sum(first != second for first, second in product(unit, unit)) / (len(unit) - 1) for unit in units)
    return sum(by_unit) / total


def disagreement_between(units: list[list[str]]) -> float:
    """The disagreement to expect where any two of all labels are put together."""
    values = [value for unit in units for value in unit]
    return sum(first != second for first, second in product(values, values)) / (len(values) * (len(values) - 1))


@given(UNITS)
def test_alpha_equals_its_definition(given_units: list[list[str | None]]) -> None:
    units = [[value for value in unit if value is not None] for unit in given_units]
    units = [unit for unit in units if len(unit) > 1]
    figure = alpha(given_units)
    assert figure.n == len(units)
    if len({value for unit in units for value in unit}) < 2:
        assert figure == Estimate(None, None, None, len(units))
    else:
        assert figure.estimate == pytest.approx(1 - disagreement_within(units) / disagreement_between(units))


@given(UNITS)
def test_alpha_equals_the_reference_package(given_units: list[list[str | None]]) -> None:
    figure = alpha(given_units)
    assume(figure.estimate is not None)
    numbers = [["abcd".index(value) if value else np.nan for value in unit] for unit in given_units]
    expected = krippendorff.alpha(reliability_data=np.array(numbers).T, level_of_measurement="nominal")
    assert figure.estimate == pytest.approx(expected)


@given(PAIRS)
def test_estimates_are_never_nan_and_lie_in_their_interval(pairs: Pairs) -> None:
    figure = raw_agreement(pairs)
    low, high = interval(figure)
    assert 0 <= low <= (figure.estimate or 0) + 1e-12
    assert (figure.estimate or 0) - 1e-12 <= high <= 1
    figure = alpha(pairs)
    assert all(value is None or -1 <= value <= 1 for value in (figure.estimate, figure.low, figure.high))


@given(UNITS, st.randoms(use_true_random=False))
def test_alpha_depends_on_neither_order_nor_names(given_units: list[list[str | None]], chance: random.Random) -> None:
    shuffled = [chance.sample(unit, len(unit)) for unit in chance.sample(given_units, len(given_units))]
    renamed = [[value and {"a": "z", "b": "y", "c": "x", "d": "w"}[value] for value in unit] for unit in shuffled]
    figure, renamed_figure = alpha(given_units), alpha(renamed)
    assert renamed_figure.n == figure.n
    assert renamed_figure.estimate == (None if figure.estimate is None else pytest.approx(figure.estimate))


# Where there is nothing, or nothing but agreement


@pytest.mark.parametrize("figure", [raw_agreement([]), alpha([]), share(0, 0), alpha([("a",), (None,)])])
def test_without_labels_every_estimate_is_unknown(figure: Estimate) -> None:
    assert figure == Estimate(None, None, None, 0)


def test_a_difference_from_nothing_is_unknown() -> None:
    assert difference(share(3, 4), share(0, 0)) == Estimate(None, None, None, 4)
    assert difference(share(0, 0), share(3, 4)) == Estimate(None, None, None, 4)


def test_agreement_on_a_single_category_is_unknown() -> None:
    pairs = [("a", "a")] * 30
    assert alpha(pairs) == Estimate(None, None, None, 30)
    assert raw_agreement(pairs).estimate == 1


def test_perfect_agreement_is_one_with_an_interval_below_it() -> None:
    pairs = [("a", "a"), ("b", "b")] * 15
    low, high = interval(raw_agreement(pairs))
    assert 0.8 < low < high == 1
    # Resampling would say that it can be nothing else.
    assert alpha(pairs) == Estimate(1, None, None, 30)


def test_alpha_of_identical_units_has_no_interval() -> None:
    figure = alpha([("a", "b")] * 5)
    assert figure.estimate == pytest.approx(-0.8)
    assert (figure.low, figure.high, figure.n) == (None, None, 5)


def test_alpha_has_no_interval_if_most_resamples_miss_a_category() -> None:
    figure = alpha([("a", "a")] * 50 + [("a", "b")])
    assert (figure.low, figure.high) == (None, None)


# Intervals


def resampled(units: Pairs, times: int) -> list[float]:
    """The bootstrap as described: draw units with replacement, and compute their alpha with the reference package."""
    drawn_from = np.array([[unit.count(label) for label in "abc"] for unit in units])
    draws = np.random.default_rng(3).integers(0, len(units), (times, len(units)))
    return [krippendorff.alpha(value_counts=drawn_from[draw], level_of_measurement="nominal") for draw in draws]


def test_the_interval_of_alpha_equals_a_bootstrap_over_units() -> None:
    units = [("a", "a")] * 30 + [("b", "b")] * 20 + [("a", "b")] * 9 + [("c", "a")] * 3
    cuts = quantiles(resampled(units, 2_000), n=40)
    assert interval(alpha(units)) == pytest.approx([cuts[0], cuts[-1]], abs=0.02)


def test_the_interval_of_alpha_is_reproducible() -> None:
    units = [("a", "a")] * 30 + [("b", "b")] * 20 + [("a", "b")] * 9
    assert alpha(units) == alpha(list(reversed(units))) == alpha(units)


@pytest.mark.parametrize("right", [0.7, 0.9, 0.97])
@pytest.mark.parametrize("n", [20, 100])
def test_intervals_cover_the_truth_as_often_as_stated(right: float, n: int) -> None:
    """Two raters who are each right with this probability, and else say anything, on tickets of four categories."""
    random_numbers = np.random.default_rng(5)
    same = right + (1 - right) / 4
    agree = same**2 + 3 * ((1 - right) / 4) ** 2
    held = {"raw": 0, "difference": 0}
    times = 400
    for _time in range(times):
        truth = random_numbers.integers(0, 4, n)
        raters = [
            np.where(random_numbers.random(n) < right, truth, random_numbers.integers(0, 4, n)) for _who in range(2)
        ]
        pairs = list(zip(*(rater.tolist() for rater in raters), strict=True))
        held["raw"] += covers(raw_agreement(pairs), agree)
        hits = [int((rater[at::2] == truth[at::2]).sum()) for at, rater in enumerate(raters)]
        held["difference"] += covers(difference(share(hits[0], n // 2), share(hits[1], n // 2)), 0)
    for name, number in held.items():
        assert number / times > 0.92, name


def covers(figure: Estimate, truth: float) -> bool:
    low, high = interval(figure)
    return low <= truth <= high


@given(PAIRS, st.integers(2, 5))
def test_more_observations_narrow_an_interval_and_copies_do_not(pairs: Pairs, times: int) -> None:
    figure, more = raw_agreement(pairs), raw_agreement(pairs * times)
    assert more.estimate == pytest.approx(figure.estimate)
    assert np.ptp(interval(more)) < np.ptp(interval(figure))
    copies = raw_agreement(pairs * times, list(range(len(pairs))) * times)
    assert interval(copies) == pytest.approx(interval(figure))


def test_alpha_is_resampled_by_group() -> None:
    units, groups = [("a", "a"), ("b", "b"), ("a", "b")] * 10, [0, 1, 2] + [3, 4, 5] * 9
    alone, grouped = alpha(units), alpha(units, groups)
    assert grouped.estimate == alone.estimate
    assert np.ptp(interval(grouped)) > 1.5 * np.ptp(interval(alone))
