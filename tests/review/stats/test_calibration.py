"""The figures of confidence: by hand, the definitions word by word, another's implementation."""

import random
from collections.abc import Callable
from itertools import product
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from review.stats.calibration import (
    ThresholdOutcome,
    at_threshold,
    aurc,
    auroc,
    brier,
    ece,
    reliability,
)
from review.stats.intervals import Estimate, share
from review.stats.samples import Sample

pytestmark = pytest.mark.once

Answers = list[tuple[bool, float]]
Measure = Callable[[list[bool], list[float], Sample], float | None]

LEVELS = st.one_of(st.sampled_from([0.0, 0.29, 0.3, 0.5, 0.57, 0.58, 1.0]), st.floats(0, 1))
"""Confidences, some often, so that they tie, and some at the edges of bins and at thresholds."""
ANSWERS = st.lists(st.tuples(st.booleans(), LEVELS), min_size=1, max_size=40)

RIGHT = [True, True, False, True, False]
CONFIDENCE = [0.95, 0.9, 0.9, 0.6, 0.2]


def columns(answers: Answers) -> tuple[list[bool], list[float]]:
    return [right for right, _ in answers], [level for _, level in answers]


def even(n: int) -> Sample:
    return Sample.independent(n)


def error(right: list[bool], levels: list[float], sample: Sample, bins: int = 10) -> float | None:
    return ece(reliability(right, levels, sample, bins))


# By hand


def test_brier_is_the_mean_squared_distance() -> None:
    assert brier(RIGHT, CONFIDENCE, even(5)) == pytest.approx((0.05**2 + 0.1**2 + 0.9**2 + 0.4**2 + 0.2**2) / 5)


def test_auroc_counts_ties_half() -> None:
    # Of six pairs of a right and a wrong answer four are in order, one is a tie, and one is the wrong way round.
    assert auroc(RIGHT, CONFIDENCE, even(5)) == pytest.approx((4 + 0.5) / 6)


def test_aurc_is_the_area_under_the_curve() -> None:
    assert aurc(RIGHT, CONFIDENCE, even(5)) == pytest.approx((0 + 1 / 3 + 1 / 3 + 1 / 4 + 2 / 5) / 5)


def test_bins_include_their_lower_edge_and_the_last_includes_one() -> None:
    bins = reliability([True, False, True, True], [0.0, 0.5, 0.99, 1.0], even(4), bins=2)
    assert [(bin_.low, bin_.high, bin_.n) for bin_ in bins] == [(0, 0.5, 1), (0.5, 1, 3)]
    assert bins[1].mean_confidence == pytest.approx(0.83)
    assert bins[1].accuracy == share(2, 3)
    assert ece(bins) == pytest.approx((1 * 1 + 3 * (0.83 - 2 / 3)) / 4)


def test_a_value_is_in_the_bin_between_whose_edges_it_lies() -> None:
    """To multiply would put 0.29 and others below their bin: 0.29 * 100 is less than 29."""
    levels = [number / 100 for number in range(101)]
    bins = reliability([True] * 101, levels, even(101), bins=100)
    assert [bin_.n for bin_ in bins] == [1] * 99 + [2]
    assert [bin_.low for bin_ in bins] == levels[:-1]


def test_a_threshold_has_a_coverage_and_a_risk() -> None:
    assert at_threshold(RIGHT, CONFIDENCE, 0.9, even(5)) == ThresholdOutcome(0.9, 5, 3, 1, share(3, 5), share(1, 3))
    assert at_threshold(RIGHT, CONFIDENCE, 0.96, even(5)) == ThresholdOutcome(
        0.96, 5, 0, 0, share(0, 5), Estimate(None, None, None, 0)
    )


def test_items_without_an_answer_lower_coverage_and_leave_risk_unchanged() -> None:
    items = [*RIGHT, False, False, False], [*CONFIDENCE, None, None, None]
    assert at_threshold(*items, 0.9, even(8)) == ThresholdOutcome(0.9, 8, 3, 1, share(3, 8), share(1, 3))


# Definitions, word by word, and another's implementation


@given(ANSWERS)
def test_brier_equals_scikit_learn(answers: Answers) -> None:
    right, levels = columns(answers)
    assert brier(right, levels, even(len(right))) == pytest.approx(
        brier_score_loss(np.array(right, int), levels, pos_label=1)
    )


@given(ANSWERS)
def test_auroc_equals_scikit_learn(answers: Answers) -> None:
    right, levels = columns(answers)
    assume(len(set(right)) == 2)
    assert auroc(right, levels, even(len(right))) == pytest.approx(roc_auc_score(right, levels))


@given(ANSWERS, st.integers(1, 20))
def test_reliability_equals_scikit_learn(answers: Answers, bins: int) -> None:
    right, levels = columns(answers)
    edges = [number / bins for number in range(1, bins)] + list(np.linspace(0, 1, bins + 1))
    # Its bins hold their upper edge, ours the lower.
    assume(all(level in (0, 1) or min(abs(level - edge) for edge in edges) > 1e-9 for level in levels))
    held = reliability(right, levels, even(len(right)), bins)
    accuracies, means = calibration_curve(np.array(right, int), levels, n_bins=bins, pos_label=1)
    assert [bin_.accuracy.estimate for bin_ in held] == pytest.approx(list(accuracies))
    assert [bin_.mean_confidence for bin_ in held] == pytest.approx(list(means))


@given(ANSWERS, st.integers(1, 20))
def test_bins_divide_all_answers_and_weight_the_calibration_error(answers: Answers, bins: int) -> None:
    right, levels = columns(answers)
    held = reliability(right, levels, even(len(right)), bins)
    assert sum(bin_.n for bin_ in held) == sum(bin_.accuracy.n for bin_ in held) == len(answers)
    assert all(bin_.low - 1e-12 <= bin_.mean_confidence <= bin_.high + 1e-12 for bin_ in held)
    assert [bin_.low for bin_ in held] == sorted(bin_.low for bin_ in held)
    weighted = sum(bin_.n / len(answers) * abs((bin_.accuracy.estimate or 0) - bin_.mean_confidence) for bin_ in held)
    assert ece(held) == pytest.approx(weighted)


@given(ANSWERS)
def test_aurc_is_the_mean_risk_over_answers(answers: Answers) -> None:
    risks = [fmean(not right for right, level in answers if level >= threshold) for _, threshold in answers]
    assert aurc(*columns(answers), even(len(answers))) == pytest.approx(fmean(risks))


@given(ANSWERS, LEVELS)
def test_answers_at_or_above_the_threshold_are_accepted(answers: Answers, threshold: float) -> None:
    passed = at_threshold(*columns(answers), threshold, even(len(answers)))
    accepted = [right for right, level in answers if level >= threshold]
    assert (passed.n, passed.accepted, passed.wrong) == (len(answers), len(accepted), accepted.count(False))


@given(ANSWERS, st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(answers: Answers, chance: random.Random) -> None:
    shuffled = columns(chance.sample(answers, len(answers)))
    right, levels = columns(answers)
    for measure in (brier, auroc, error, aurc):
        figure = measure(right, levels, even(len(right)))
        assert measure(*shuffled, even(len(answers))) == (None if figure is None else pytest.approx(figure))


def test_auroc_equals_its_definition() -> None:
    right = [True, False, True, False, True]
    levels = [0.5, 0.5, 0.4, 0.4, 0.9]
    pairs = product([level for level, hit in zip(levels, right, strict=True) if hit], [0.5, 0.4])
    assert auroc(right, levels, even(len(right))) == pytest.approx(
        fmean((higher > lower) + (higher == lower) / 2 for higher, lower in pairs)
    )


# Edge cases


@pytest.mark.parametrize("measure", [brier, auroc, error, aurc])
def test_without_answers_every_measure_is_unknown(
    measure: Callable[[list[bool], list[float], Sample], float | None],
) -> None:
    assert measure([], [], even(0)) is None


def test_without_answers_there_are_no_bins() -> None:
    nothing = Estimate(None, None, None, 0)
    assert reliability([], [], even(0)) == []
    assert at_threshold([], [], 0.5, even(0)) == ThresholdOutcome(0.5, 0, 0, 0, nothing, nothing)


def test_coverage_is_zero_and_risk_unknown_if_all_failed() -> None:
    passed = at_threshold([False] * 20, [None] * 20, 0.0, even(20))
    assert passed.coverage == share(0, 20)
    assert passed.risk == Estimate(None, None, None, 0)


@pytest.mark.parametrize("right", [True, False])
def test_auroc_alone_is_unknown_if_all_answers_are_right_or_all_wrong(right: bool) -> None:
    assert auroc([right] * 3, [0.2, 0.5, 0.9], even(3)) is None
    assert aurc([right] * 3, [0.2, 0.5, 0.9], even(3)) == (0 if right else 1)
    assert brier([right], [1.0], even(1)) == error([right], [1.0], even(1)) == (0 if right else 1)


def test_a_constant_confidence_separates_nothing() -> None:
    assert auroc(RIGHT, [0.9] * 5, even(5)) == 0.5
    assert aurc(RIGHT, [0.9] * 5, even(5)) == pytest.approx(2 / 5)


@pytest.mark.parametrize("level", [-0.01, 1.01])
def test_a_confidence_outside_zero_to_one_is_rejected(level: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        brier([True], [level], even(1))


def test_answers_need_a_confidence_each() -> None:
    with pytest.raises(ValueError, match="needs its confidence"):
        auroc([True, False], [0.5], even(2))


@given(st.lists(st.tuples(st.booleans(), LEVELS, st.integers(1, 4)), min_size=1, max_size=20))
def test_an_item_that_stands_for_several_counts_as_often(answers: list[tuple[bool, float, int]]) -> None:
    once = [right for right, _, _ in answers], [level for _, level, _ in answers]
    repeated = columns([(right, level) for right, level, times in answers for _ in range(times)])
    sample = Sample.drawn([1 / times for _, _, times in answers], range(len(answers)))
    for measure in (brier, auroc, error, aurc):
        figure = measure(*repeated, even(len(repeated[0])))
        assert measure(*once, sample) == (None if figure is None else pytest.approx(figure))
