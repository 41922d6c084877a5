"""Where things stand in the drawings of a benchmark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.stats import calibration, charts
from review.stats.intervals import Estimate, share
from review.stats.samples import Sample
from review.stats.svg import LEFT, PLOT, RIGHT, TOP

BOTTOM = TOP + PLOT


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in line.split())]


def test_a_bin_is_drawn_at_its_confidence_and_accuracy() -> None:
    (low,) = reliability([True, False], [0.5, 0.5])
    drawn = charts.reliability([low])
    (dot,) = drawn.dots
    assert dot.x == (LEFT + RIGHT) / 2
    assert dot.y == (TOP + BOTTOM) / 2
    assert dot.high < dot.y < dot.low, "upwards is less"


def test_fuller_bins_have_larger_points_and_higher_bars() -> None:
    bins = reliability([True] * 10, [0.95] * 9 + [0.15])
    few, many = charts.reliability(bins).dots
    assert few.radius < many.radius == charts.LARGEST_DOT
    small, large = charts.reliability(bins).bars
    assert small.height < large.height == charts.STRIP
    assert small.y + small.height == large.y + large.height == charts.reliability(bins).floor


def test_a_nearly_empty_bin_stays_visible() -> None:
    bins = reliability([True] * 5_000, [0.95] * 4_999 + [0.15])
    assert charts.reliability(bins).bars[0].height == 1.0


def test_no_bins_give_an_empty_diagram() -> None:
    drawn = charts.reliability([])
    assert (drawn.dots, drawn.bars) == ((), ())
    assert [tick.label for tick in drawn.axes.y] == [0, 25, 50, 75, 100]


def curve(right: list[bool], levels: list[float], threshold: float, failed: int = 0) -> charts.RiskCoverage:
    items, sample = ([*right, *[False] * failed], [*levels, *[None] * failed]), Sample.independent(len(right) + failed)
    steps = [calibration.at_threshold(*items, number / 100, sample) for number in range(101)]
    return charts.risk_coverage(steps, calibration.at_threshold(*items, threshold, sample))


def reliability(right: list[bool], levels: list[float]) -> list[calibration.Bin]:
    return calibration.reliability(right, levels, Sample.independent(len(right)))


def test_the_curve_runs_from_all_answers_to_the_most_confident() -> None:
    drawn = curve([True, True, False, True], [0.9, 0.8, 0.6, 0.5], 0.85)
    drawn_points = points(drawn.line)
    assert drawn_points[0] == pytest.approx((RIGHT, BOTTOM - PLOT * 0.25 / 0.5), abs=0.1)
    assert drawn_points[-1] == pytest.approx((LEFT + (RIGHT - LEFT) / 4, BOTTOM), abs=0.1)


def test_the_chosen_threshold_lies_on_the_curve_with_its_interval() -> None:
    drawn = curve([True, True, False, True] * 10, [0.9, 0.8, 0.6, 0.5] * 10, 0.55)
    assert drawn.mark
    assert (drawn.mark.x, drawn.mark.y) in points(drawn.line)
    assert drawn.mark.high < drawn.mark.y < drawn.mark.low


def test_a_threshold_that_accepts_nothing_has_no_mark() -> None:
    assert curve([True, False], [0.5, 0.6], 0.9).mark is None


def test_the_scale_ends_just_above_the_highest_risk() -> None:
    ends = {}
    for wrong in (0, 4, 9, 15, 40, 90):
        axes = curve([False] * wrong + [True] * (100 - wrong), [0.5] * 100, 0.5).axes
        ends[wrong] = axes.y[-1].label
        assert axes.y[-1].at == TOP
    assert ends == {0: 5, 4: 5, 9: 10, 15: 20, 40: 50, 90: 100}


def test_the_curve_may_run_off_the_chart_at_very_low_coverage() -> None:
    drawn = curve([False] + [True] * 99, [0.99] + [0.5] * 99, 0.5)
    assert drawn.axes.y[-1].label == 5
    assert points(drawn.line)[-1][1] < TOP


def test_a_curve_of_one_point_is_drawn_as_a_point() -> None:
    drawn = curve([True], [0.7], 0.5)
    assert len(points(drawn.line)) == len(drawn.dots) == 1
    assert curve([True, False], [0.7, 0.9], 0.5).dots == ()


def test_without_answers_the_curve_is_empty() -> None:
    drawn = curve([], [], 0.5, failed=10)
    assert (drawn.line, drawn.dots, drawn.mark) == ("", (), None)


def test_whiskers_share_a_line_that_encloses_them_all() -> None:
    figures = [share(70, 100), share(90, 100)]
    low, high = charts.span(figures)
    assert (low, high) == (0.6, 1.0)
    first, second = (charts.whisker(figure, low, high) for figure in figures)
    assert first
    assert second
    assert first.at == 25.0
    assert 0 <= first.low < first.at < second.at < second.low + second.width <= charts.LINE


def test_an_unknown_interval_has_no_whisker() -> None:
    assert charts.whisker(Estimate(None, None, None, 0), 0, 1) is None
    assert charts.whisker(Estimate(0.5, None, None, 3), 0, 1) is None
    assert charts.span([Estimate(None, None, None, 0)]) == (0.0, 1.0)


ANSWERS = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=40)


@given(ANSWERS, st.floats(0, 1), st.integers(0, 20))
def test_everything_lies_within_the_chart(answers: list[tuple[bool, float]], threshold: float, failed: int) -> None:
    right, levels = [is_right for is_right, _ in answers], [level for _, level in answers]
    diagram = charts.reliability(reliability(right, levels))
    for dot in diagram.dots:
        assert LEFT <= dot.x <= RIGHT
        assert TOP <= dot.high <= dot.y <= dot.low <= BOTTOM
    for bar in diagram.bars:
        assert LEFT <= bar.x <= bar.x + bar.width <= RIGHT
        assert BOTTOM < bar.y <= diagram.floor
    drawn = curve(right, levels, threshold, failed)
    for x, y in points(drawn.line):
        assert LEFT <= x <= RIGHT
        assert y <= BOTTOM
    if drawn.mark:
        assert TOP <= drawn.mark.high <= drawn.mark.y <= drawn.mark.low <= BOTTOM
