"""Where things stand in the drawings of a benchmark: figures in, points of an SVG out. Pure.

Shares from 0 to 1 run from left to right and from bottom to top; a drawing's unit is a pixel where it is not scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from review.stats.agreement import Estimate
from review.stats.calibration import Bin, Passed

WIDTH = 360.0
LEFT, RIGHT, TOP, PLOT = 46.0, 350.0, 10.0, 240.0
STRIP_GAP, STRIP = 12.0, 40.0
LARGEST_DOT, SMALLEST_DOT = 9.0, 3.0
STEADY = 0.05
"""From this coverage on the curve of risk fits into its drawing."""

_SCALES = {5: 1, 10: 2, 20: 5, 50: 10, 100: 25}
"""Where a scale may end, in percent, and how far its marks are apart."""

LINE = 100.0


@dataclass(frozen=True, slots=True)
class Whisker:
    """An interval and its figure on a line of 100."""

    low: float
    width: float
    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    percent: int


@dataclass(frozen=True, slots=True)
class Axes:
    """The frame of a drawing, with marks below (x) and at the left (y)."""

    left: float
    right: float
    top: float
    bottom: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    width: float
    height: float

    @property
    def across(self) -> float:
        return self.right - self.left

    @property
    def marks(self) -> float:
        """Where the percentages at the left end."""
        return self.left - 6

    @property
    def below(self) -> float:
        """Where the percentages below stand; under them there is the title."""
        return self.height - 26

    @property
    def title(self) -> float:
        return self.height - 6

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    @property
    def centre(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure with the ends of its interval; `radius` grows with the number that it rests on."""

    x: float
    y: float
    low: float
    high: float
    radius: float


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    n: int


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
    ends: tuple[Dot, ...]
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
    begin, at, end = (
        LINE * _within((value - low) / (high - low)) for value in (figure.low, figure.estimate, figure.high)
    )
    return Whisker(_rounded(begin), max(_rounded(end - begin), 1.0), _rounded(at))


def reliability(bins: Sequence[Bin]) -> Reliability:
    axes = _axes(1.0, STRIP_GAP + STRIP)
    most, floor = max((one.n for one in bins), default=1), axes.bottom + STRIP_GAP + STRIP
    dots = tuple(
        Dot(
            x=_x(one.mean_confidence),
            y=_y(one.accuracy.estimate or 0.0),
            low=_y(one.accuracy.low or 0.0),
            high=_y(1.0 if one.accuracy.high is None else one.accuracy.high),
            radius=_rounded(SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * sqrt(one.n / most)),
        )
        for one in bins
    )
    bars = tuple(_bar(one, most, floor) for one in bins)
    return Reliability(axes, dots, bars, floor)


def risk_coverage(n: int, accepted: Sequence[int], wrong: Sequence[int], chosen: Passed) -> RiskCoverage:
    """Of a curve by thresholds from the lowest on, among n items asked."""
    points = [(passed / n, missed / passed) for passed, missed in zip(accepted, wrong, strict=True) if passed]
    points = list(dict.fromkeys(points))
    # Where next to nothing passes the risk jumps about: it may leave the drawing rather than squeeze the rest.
    top = _end([risk for coverage, risk in points if coverage >= STEADY] or [risk for _coverage, risk in points])
    line = " ".join(f"{_x(coverage)},{_rounded(TOP + PLOT * (1 - risk / top))}" for coverage, risk in points)
    ends = tuple(_point(coverage, risk, top) for coverage, risk in points) if len(points) == 1 else ()
    return RiskCoverage(_axes(top), line, ends, _mark(chosen, top))


def _mark(chosen: Passed, top: float) -> Dot | None:
    coverage, risk = chosen.coverage.estimate, chosen.risk
    if not coverage or risk.estimate is None:
        return None
    low, high = risk.low or 0.0, risk.high or 0.0
    return Dot(_x(coverage), _y(risk.estimate, top), _y(low, top), _y(high, top), 6.0)


def _point(coverage: float, risk: float, top: float) -> Dot:
    return Dot(_x(coverage), _y(risk, top), _y(risk, top), _y(risk, top), 3.0)


def _bar(one: Bin, most: int, floor: float) -> Bar:
    # A bin of a single answer among thousands is still there to be seen.
    height = max(_rounded(STRIP * one.n / most), 1.0)
    return Bar(_rounded(_x(one.low) + 1), floor - height, _rounded(_x(one.high) - _x(one.low) - 2), height, one.n)


def _axes(top: float, below: float = 0.0) -> Axes:
    bottom = TOP + PLOT
    x = tuple(Tick(_x(percent / 100), percent) for percent in range(0, 101, _SCALES[100]))
    end = round(100 * top)
    y = tuple(Tick(_y(percent / 100, top), percent) for percent in range(0, end + 1, _SCALES[end]))
    return Axes(LEFT, RIGHT, TOP, bottom, x, y, WIDTH, bottom + below + 40)


def _end(risks: Sequence[float]) -> float:
    highest = max(risks, default=1.0)
    return next(end / 100 for end in _SCALES if highest <= end / 100)


def _x(share: float) -> float:
    return _rounded(LEFT + (RIGHT - LEFT) * _within(share))


def _y(share: float, top: float = 1.0) -> float:
    return _rounded(TOP + PLOT * (1 - _within(share / top)))


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _rounded(value: float) -> float:
    return round(value, 1)
