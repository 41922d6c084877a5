"""A learning curve carried on: what it says of curves that are known, when it says nothing, and how it is drawn."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from review.specialist import curve_chart, learning_curve
from review.specialist.curve_chart import END, Scales
from review.specialist.learning_curve import Point
from review.stats.intervals import Estimate
from review.stats.svg import LEFT, PLOT, TOP

COUNTS = (50, 100, 200, 400, 800)
BOTTOM = TOP + PLOT


def ends(gain: Estimate) -> tuple[float, float, float]:
    assert gain.estimate is not None
    assert gain.low is not None
    assert gain.high is not None
    return gain.low, gain.estimate, gain.high


def exact(level: float, slope: float, items: int = 1_000_000, counts: tuple[int, ...] = COUNTS) -> list[Point]:
    """As a model would do whose error is level * n^-slope."""
    return [Point(count, round(items * (1 - level * count**-slope)), items) for count in counts]


def test_the_fit_recovers_a_power_law() -> None:
    law = learning_curve.fit_power_law(exact(2.0, 0.4))
    assert law
    assert law.slope == pytest.approx(-0.4, abs=0.01)
    assert law.accuracy(1_600) == pytest.approx(1 - 2.0 * 1_600**-0.4, abs=0.001)
    low, gain, high = ends(law.gain(800))
    assert gain == pytest.approx(2.0 * 800**-0.4 - 2.0 * 900**-0.4, abs=0.001)
    assert low < gain < high


def test_fewer_items_widen_the_interval() -> None:
    many, few = (learning_curve.fit_power_law(exact(2.0, 0.4, items)) for items in (10_000, 100))
    assert many
    assert few
    (low, _gain, high), (lowest, _gain, highest) = ends(many.gain(800)), ends(few.gain(800))
    assert highest - lowest > 5 * (high - low)


def test_the_gain_shrinks_as_labels_accumulate() -> None:
    law = learning_curve.fit_power_law(exact(2.0, 0.4))
    assert law
    gains = [ends(law.gain(count))[1] for count in (100, 400, 1_600, 6_400)]
    assert gains == sorted(gains, reverse=True)


def test_a_flat_curve_has_no_significant_gain() -> None:
    law = learning_curve.fit_power_law(exact(0.3, 0.0, items=500))
    assert law
    low, gain, high = ends(law.gain(800))
    assert gain == pytest.approx(0, abs=0.001)
    assert low < 0 < high


@pytest.mark.parametrize(
    "counts",
    [(), (50,), (50, 100, 200), (100, 110, 120, 199), (50, 100, 200, 200), (0, 100, 200, 400)],
    ids=["none", "one", "three", "too near to each other", "one of them twice", "one of nothing"],
)
def test_too_few_or_too_close_points_have_no_fit(counts: tuple[int, ...]) -> None:
    assert learning_curve.fit_power_law([Point(count, 60, 100) for count in counts]) is None


def test_four_points_over_a_factor_of_two_have_a_fit() -> None:
    assert learning_curve.fit_power_law([Point(count, 60, 100) for count in (100, 110, 120, 200)])


def test_the_latest_of_several_versions_with_equally_many_labels_counts() -> None:
    former = [Point(count, 1, 1_000) for count in COUNTS]
    assert learning_curve.fit_power_law([*former, *exact(2.0, 0.4)]) == learning_curve.fit_power_law(exact(2.0, 0.4))


def test_a_version_without_benchmark_figures_is_left_out() -> None:
    assert learning_curve.fit_power_law([Point(25, 0, 0), *exact(2.0, 0.4)]) == learning_curve.fit_power_law(
        exact(2.0, 0.4)
    )


def test_the_interval_covers_the_true_gain_as_often_as_stated() -> None:
    draws, held = np.random.default_rng(1), 0
    truth = 2.0 * 800**-0.4 - 2.0 * 900**-0.4
    for _time in range(400):
        law = learning_curve.fit_power_law([Point(n, int(draws.binomial(400, 1 - 2.0 * n**-0.4)), 400) for n in COUNTS])
        assert law
        low, _gain, high = ends(law.gain(800))
        held += low <= truth <= high
    assert held >= 0.93 * 400


measured = st.integers(1, 3_000).flatmap(
    lambda items: st.builds(Point, st.integers(0, 100_000), st.integers(0, items), st.just(items))
)


@given(st.lists(measured, max_size=30), st.integers(1, 200_000))
def test_the_predicted_gain_is_always_possible(points: list[Point], now: int) -> None:
    law = learning_curve.fit_power_law(points)
    assume(law is not None)
    assert law
    (low, gain, high), accuracy = ends(law.gain(now)), law.accuracy(now)
    assert all(isfinite(value) for value in (low, gain, high))
    assert 0 <= accuracy < 1
    assert -accuracy - 1e-9 <= low <= gain <= high <= 1 - accuracy + 1e-9


@given(st.lists(measured, min_size=1, max_size=30))
def test_the_chart_stays_within_its_frame(points: list[Point]) -> None:
    drawn = curve_chart.draw(points, learning_curve.fit_power_law(points), Scales.over(points))
    ends = [(float(x), float(y)) for x, y in (pair.split(",") for pair in drawn.line.split())]
    for x, y in [*((dot.x, dot.y) for dot in drawn.dots), *ends]:
        assert LEFT <= x <= END
        assert TOP <= y <= BOTTOM
    assert all(TOP <= dot.high <= dot.y <= dot.low <= BOTTOM for dot in drawn.dots)


def test_tick_marks_are_round_numbers_with_room_for_the_prediction() -> None:
    axes = Scales.over([Point(894, 650, 1_000)]).axes
    assert [tick.label for tick in axes.x] == [0, 200, 400, 600, 800, 1_000]
    assert [tick.label for tick in axes.y] == [100, 90, 80, 70, 60]
    assert axes.y[-1].at == BOTTOM


def test_a_curve_of_one_version_has_no_line() -> None:
    point = Point(20, 1, 10)
    drawn = curve_chart.draw([point], learning_curve.fit_power_law([point]), Scales.over([point]))
    assert drawn.line == ""
    assert len(drawn.dots) == 1
