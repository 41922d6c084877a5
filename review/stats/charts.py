"""Charts of a benchmark. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from review.stats.calibration import Bin, ThresholdOutcome
from review.stats.intervals import Estimate
from review.stats.svg import PLOT, TOP, Axes, Bar, Dot, Frame, Scale, bar_height, percent_axes, percent_frame

STRIP_GAP, STRIP = 12.0, 40.0
LARGEST_DOT, SMALLEST_DOT = 9.0, 3.0
STEADY = 0.05
"""The chart is scaled to the risks from this coverage on."""

LINE = 100.0


@dataclass(frozen=True, slots=True)
class Whisker:
    """An estimate and its interval on a line of length 100."""

    low: float
    width: float
    at: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Accuracy by confidence, with the size of each bin below."""

    axes: Axes
    dots: tuple[Dot, ...]
    bars: tuple[Bar, ...]
    floor: float
    """Where the bars stand."""


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Risk by coverage. `line` is a list of points for SVG, which may run off the chart at the top."""

    axes: Axes
    line: str
    dots: tuple[Dot, ...]
    """The single point of a curve with only one."""
    mark: Dot | None
    """The chosen threshold; None if it accepts nothing."""


def span(figures: Sequence[Estimate]) -> tuple[float, float]:
    """The tenths that enclose all these intervals."""
    low = min((figure.low for figure in figures if figure.low is not None), default=0.0)
    high = max((figure.high for figure in figures if figure.high is not None), default=1.0)
    return max(floor(10 * low) / 10, 0.0), min(ceil(10 * high) / 10, 1.0)


def whisker(figure: Estimate, low: float, high: float) -> Whisker | None:
    """The whisker on a line from `low` to `high`; None without an interval."""
    if figure.estimate is None or figure.low is None or figure.high is None:
        return None
    line = Scale(low, high, 0, LINE)
    begin, at, end = (line.at(value) for value in (figure.low, figure.estimate, figure.high))
    return Whisker(begin, max(round(end - begin, 1), 1.0), at)


def reliability(bins: Sequence[Bin]) -> Reliability:
    frame, floor = percent_frame(), TOP + PLOT + STRIP_GAP + STRIP
    most = max((bin_.n for bin_ in bins), default=1)
    dots = tuple(
        frame.dot(
            bin_.mean_confidence,
            bin_.accuracy.estimate or 0.0,
            (bin_.accuracy.low or 0.0, 1.0 if bin_.accuracy.high is None else bin_.accuracy.high),
            round(SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * sqrt(bin_.n / most), 1),
        )
        for bin_ in bins
    )
    bars = tuple(_bar(bin_, frame, bin_.n / most, floor) for bin_ in bins)
    return Reliability(percent_axes(frame, STRIP_GAP + STRIP), dots, bars, floor)


def risk_coverage(steps: Sequence[ThresholdOutcome], chosen: ThresholdOutcome) -> RiskCoverage:
    """The chart of a curve by its thresholds, in ascending order."""
    points = list(
        dict.fromkeys(
            (step.coverage.estimate, step.risk.estimate)
            for step in steps
            if step.coverage.estimate and step.risk.estimate is not None
        )
    )
    # At very low coverage the risk jumps about; it may run off the chart, so that it does not squeeze the rest.
    risks = [risk for coverage, risk in points if coverage >= STEADY] or [risk for _coverage, risk in points]
    frame = percent_frame(max(risks, default=1.0))
    dots = tuple(frame.dot(coverage, risk, (risk, risk), 3.0) for coverage, risk in points) if len(points) == 1 else ()
    return RiskCoverage(percent_axes(frame), frame.line(points), dots, _mark(chosen, frame))


def _mark(chosen: ThresholdOutcome, frame: Frame) -> Dot | None:
    coverage, risk = chosen.coverage.estimate, chosen.risk
    if not coverage or risk.estimate is None:
        return None
    return frame.dot(coverage, risk.estimate, (risk.low or 0.0, risk.high or 0.0), 6.0)


def _bar(bin_: Bin, frame: Frame, share: float, floor: float) -> Bar:
    left, right = frame.x.at(bin_.low), frame.x.at(bin_.high)
    height = bar_height(share, STRIP)
    return Bar(round(left + 1, 1), floor - height, round(right - left - 2, 1), height)
