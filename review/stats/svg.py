"""Scales, axes and marks of SVG charts. Pure.

Lengths are in pixels before scaling. Values run from left to right and from bottom to top.
"""

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 360.0
LEFT, RIGHT, TOP, PLOT = 46.0, 350.0, 10.0, 240.0

_STEPS = {5: 1, 10: 2, 20: 5, 50: 10, 100: 25}
"""The possible ends of a scale, in percent, with the distance of its ticks."""


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: int


@dataclass(frozen=True, slots=True)
class Axes:
    """The frame of a chart, with ticks below (x) and on the left (y)."""

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
    def y_labels(self) -> float:
        """The right end of the labels on the left."""
        return self.left - 6

    @property
    def x_labels(self) -> float:
        """The baseline of the labels below, above the title."""
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
    """A point with the ends of its interval."""

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


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high`, drawn from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """The position of a value, clamped to the scale."""
        return self.beyond(min(max(value, self.low), self.high))

    def beyond(self, value: float) -> float:
        """The position of a value, which may be outside the frame."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + (self.end - self.begin) * share, 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """The two scales of a chart."""

    x: Scale
    y: Scale

    def axes(self, x: Iterable[int], y: Iterable[int], unit: float = 1.0, below: float = 0.0) -> Axes:
        """Axes with ticks at these values: y in percent, x times `unit`; `below` is extra room under the frame."""
        ticks = (
            tuple(Tick(self.x.at(label * unit), label) for label in x),
            tuple(Tick(self.y.at(label / 100), label) for label in y),
        )
        return Axes(LEFT, self.x.end, TOP, TOP + PLOT, *ticks, WIDTH, TOP + PLOT + below + 40)

    def dot(self, x: float, y: float, interval: tuple[float, float], radius: float) -> Dot:
        low, high = interval
        return Dot(self.x.at(x), self.y.at(y), self.y.at(low), self.y.at(high), radius)

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        """Points of a polyline, which may run off the chart at the top."""
        return " ".join(f"{self.x.at(x)},{self.y.beyond(y)}" for x, y in points)


def percent_frame(highest: float = 1.0) -> Frame:
    """Shares from 0 to 1 across, and upwards to the next round number above `highest`."""
    end = next(end for end in _STEPS if 100 * highest <= end) / 100
    return Frame(Scale(0, 1, LEFT, RIGHT), Scale(0, end, TOP + PLOT, TOP))


def percent_axes(frame: Frame, below: float = 0.0) -> Axes:
    """The axes of a `percent_frame`."""
    end = round(100 * frame.y.high)
    return frame.axes(range(0, 101, 25), range(0, end + 1, _STEPS[end]), unit=0.01, below=below)


def bar_height(share: float, full: float) -> float:
    """The height of a bar, at least 1, so that it stays visible."""
    return max(round(full * share, 1), 1.0)
