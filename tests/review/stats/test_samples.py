"""Weighted and clustered shares: against simulation, hand calculation and the plain formulas that they extend."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from review.stats.intervals import share
from review.stats.paired_tests import Verdict, bootstrap_macro_f1, compare, sign_flip
from review.stats.samples import Floats, Ints, Sample

pytestmark = pytest.mark.once

ONE_OF_FIFTY = np.array([0] * 50 + list(range(1, 151)))


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_even_independent_items_have_wilsons_interval(hits: list[bool]) -> None:
    figure, plain = Sample.independent(len(hits)).share(hits), share(sum(hits), len(hits))
    assert (figure.estimate, figure.low, figure.high) == pytest.approx((plain.estimate, plain.low, plain.high))


def test_items_count_by_the_inverse_of_their_probability() -> None:
    sample = Sample.drawn([0.02, 0.02, 0.5], [1, 2, 3])
    figure = sample.share([True, False, False])
    assert figure.estimate == pytest.approx(50 / 102)
    assert figure.n == 3


@pytest.mark.parametrize("accuracy", [0.7, 0.9, 0.97])
@pytest.mark.parametrize(
    ("groups", "weights"),
    [
        (ONE_OF_FIFTY, np.ones(200)),
        (np.arange(200) // 5, np.ones(200)),
        (np.array([*range(100), *(100 + number // 20 for number in range(100))]), np.ones(200)),
        (np.arange(200), np.where(np.arange(200) % 3, 1.0, 10.0)),
    ],
    ids=["50 of 200 alike", "fives", "half in twenties", "unequal weights"],
)
def test_an_interval_covers_the_truth_whatever_is_alike(groups: Ints, weights: Floats, accuracy: float) -> None:
    chance, sample, covered = np.random.default_rng(5), Sample(weights, groups), 0
    for _run in range(400):
        figure = sample.share(_right(chance, groups, accuracy))
        covered += (figure.low or 0) <= accuracy <= (figure.high or 1)
    assert covered / 400 >= 0.9


def _right(chance: np.random.Generator, groups: Ints, accuracy: float) -> npt.NDArray[np.bool_]:
    """Copies are right or wrong together."""
    return np.asarray((chance.random(groups.max() + 1) < accuracy)[groups], bool)


def test_models_that_differ_on_one_group_of_copies_cannot_be_told_apart() -> None:
    first, second, sample = [True] * 200, [False] * 50 + [True] * 150, Sample(np.ones(200), ONE_OF_FIFTY)
    assert compare(first, second).verdict is Verdict.BETTER
    clustered = compare(first, second, sample)
    assert (clustered.verdict, clustered.p, clustered.only_first) == (Verdict.INDISTINGUISHABLE, 1.0, 50)


def test_macro_f1_is_resampled_by_group() -> None:
    expected, sample = ["a", "b"] * 100, Sample(np.ones(200), ONE_OF_FIFTY)
    answered = ["z"] * 50 + expected[50:]
    alone, grouped = (bootstrap_macro_f1(expected, expected, answered, each) for each in (None, sample))
    assert grouped.estimate == alone.estimate
    assert (grouped.low or 0) == 0 < 0.05 < (alone.low or 0)


def test_groups_of_equal_size_have_mcnemars_exact_p() -> None:
    assert sign_flip(np.array([2.0] * 9 + [-2.0] + [0.0] * 5)) == pytest.approx(binomtest(1, 10).pvalue)


def test_groups_of_unequal_size_have_the_p_of_all_sign_changes() -> None:
    differences = np.array([5.0, 3.0, 2.0, 1.0, -1.0, 1.0, 2.0, 4.0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(differences))).reshape(len(differences), -1).T
    exact = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9).mean()
    assert sign_flip(differences) == pytest.approx(exact, abs=0.01)


def test_equally_good_models_are_seldom_told_apart_by_copies() -> None:
    chance, groups, told_apart = np.random.default_rng(7), np.arange(200) // 5, 0
    for _run in range(200):
        first, second = (_right(chance, groups, 0.8).tolist() for _model in range(2))
        told_apart += compare(first, second, Sample(np.ones(200), groups)).verdict is not Verdict.INDISTINGUISHABLE
    assert told_apart <= 18
