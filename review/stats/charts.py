"""The drawings of a benchmark. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from review.stats.calibration import Bin, ThresholdOutcome
from review.stats.intervals import Estimate
from review.stats.svg import PLOT, TOP, Axes, Bar, Dot, Frame, Scale, bar_height, percent_axes, percent_frame

STRIP_GAP, STRIP = 12.0, 40.0
LARGEST_DOT, SMALLEST_DOT = 9.0, 3.0
STEADY = 0.05
"""From this coverage on the curve of risk fits into its drawing."""

LINE = 100.0


@dataclass(frozen=True, slots=True)
class Whisker:
    """An interval and its figure on a line of 100."""

    low: float
    width: float
    at: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often answers are right over how sure they are, and below it how many answers each bin holds."""

    axes: Axes
    dots: tuple[Dot, ...]
    bars: tuple[Bar, ...]
    floor: float
    """Where the bars stand."""


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """How many of what passes are wrong over how many pass. `line` is a list of points as SVG takes it; it may leave
    the frame at the top.
    """

    axes: Axes
    line: str
    dots: tuple[Dot, ...]
    """A curve of one point is no line: that point."""
    mark: Dot | None
    """What the chosen threshold lets pass, where it lets anything pass."""


def span(figures: Sequence[Estimate]) -> tuple[float, float]:
    """The tenths between which all these intervals lie, for a line that shows how far they are apart."""
    low = min((one.low for one in figures if one.low is not None), default=0.0)
    high = max((one.high for one in figures if one.high is not None), default=1.0)
    return max(floor(10 * low) / 10, 0.0), min(ceil(10 * high) / 10, 1.0)


def whisker(figure: Estimate, low: float, high: float) -> Whisker | None:
    """On a line from one share to the other; None where the interval is unknown."""
    if figure.estimate is None or figure.low is None or figure.high is None:
        return None
    line = Scale(low, high, 0, LINE)
    begin, at, end = (line.at(value) for value in (figure.low, figure.estimate, figure.high))
    return Whisker(begin, max(round(end - begin, 1), 1.0), at)


def reliability(bins: Sequence[Bin]) -> Reliability:
    frame, floor = percent_frame(), TOP + PLOT + STRIP_GAP + STRIP
    most = max((one.n for one in bins), default=1)
    dots = tuple(
        frame.dot(
            one.mean_confidence,
            one.accuracy.estimate or 0.0,
            (one.accuracy.low or 0.0, 1.0 if one.accuracy.high is None else one.accuracy.high),
            round(SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * sqrt(one.n / most), 1),
        )
        for one in bins
    )
    bars = tuple(_bar(one, frame, one.n / most, floor) for one in bins)
    return Reliability(percent_axes(frame, STRIP_GAP + STRIP), dots, bars, floor)


def risk_coverage(n: int, accepted: Sequence[int], wrong: Sequence[int], chosen: ThresholdOutcome) -> RiskCoverage:
    """Of a curve by thresholds from the lowest on, among n items asked."""
    points = [(passed / n, missed / passed) for passed, missed in zip(accepted, wrong, strict=True) if passed]
    points = list(dict.fromkeys(points))
    # Where next to nothing passes the risk jumps about: it may leave the drawing rather than squeeze the rest.
    risks = [risk for coverage, risk in points if coverage >= STEADY] or [risk for _coverage, risk in points]
    frame = percent_frame(max(risks, default=1.0))
    dots = tuple(frame.dot(coverage, risk, (risk, risk), 3.0) for coverage, risk in points) if len(points) == 1 else ()
    return RiskCoverage(percent_axes(frame), frame.line(points), dots, _mark(chosen, frame))


def _mark(chosen: ThresholdOutcome, frame: Frame) -> Dot | None:
    coverage, risk = chosen.coverage.estimate, chosen.risk
    if not coverage or risk.estimate is None:
        return None
    return frame.dot(coverage, risk.estimate, (risk.low or 0.0, risk.high or 0.0), 6.0)


def _bar(one: Bin, frame: Frame, share: float, floor: float) -> Bar:
    left, right = frame.x.at(one.low), frame.x.at(one.high)
    height = bar_height(share, STRIP)
    return Bar(round(left + 1, 1), floor - height, round(right - left - 2, 1), height)
