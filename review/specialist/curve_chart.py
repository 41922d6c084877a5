"""Where things stand in the drawing of a learning curve: counts in, points of an SVG out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from review.specialist.learning_curve import MORE, Law, Point
from review.stats.agreement import share
from review.stats.charts import (
    LEFT,
    PLOT,
    RIGHT,
    TOP,
    WIDTH,
    Axes,
    Dot,
    Tick,
)

STEPS, LINE = 6, 40
RADIUS = 3.5
END = RIGHT - 8
"""Where the drawing ends, so that a number of five digits below its corner has room."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How often versions are right over how many labels they learned from. `line` is the fitted law, as SVG takes it;
    empty where there is none.
    """

    axes: Axes
    dots: tuple[Dot, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Scales:
    """Labels from none to `end` from left to right, shares from `low` to 1 upwards."""

    end: int
    step: int
    low: float

    @classmethod
    def over(cls, points: Sequence[Point], more: int = MORE) -> Scales:
        """So that all these points have room with their intervals, and so many labels more."""
        most = max((point.labels for point in points), default=0) + more
        step = next(size for size in _round_sizes() if most <= STEPS * size)
        lows = (share(point.right, point.items).low or 0.0 for point in points)
        low = floor(10 * min(lows, default=0.0))
        return cls(ceil(most / step) * step, step, (low if low >= 5 else low - low % 2) / 10)

    def x(self, labels: float) -> float:
        return round(LEFT + (END - LEFT) * labels / self.end, 1)

    def y(self, part: float) -> float:
        height = (part - self.low) / (1 - self.low)
        return round(TOP + PLOT * (1 - min(max(height, 0.0), 1.0)), 1)

    @property
    def axes(self) -> Axes:
        low = round(100 * self.low)
        step = 5 if low >= 70 else 10 if low >= 50 else 20
        x = tuple(Tick(self.x(labels), labels) for labels in range(0, self.end + 1, self.step))
        y = tuple(Tick(self.y(percent / 100), percent) for percent in range(100, low - 1, -step))
        bottom = TOP + PLOT
        return Axes(LEFT, END, TOP, bottom, x, y, WIDTH, bottom + 40)


def draw(points: Sequence[Point], law: Law | None, scales: Scales) -> Curve:
    """The points in their order, and the law from the first number of labels to beyond the last."""
    dots = tuple(_dot(point, scales) for point in points)
    return Curve(scales.axes, dots, _line(points, law, scales) if law else "")


def _dot(point: Point, scales: Scales) -> Dot:
    figure = share(point.right, point.items)
    at, low, high = (scales.y(value or 0.0) for value in (figure.estimate, figure.low, figure.high))
    return Dot(scales.x(point.labels), at, low, high, RADIUS)


def _line(points: Sequence[Point], law: Law, scales: Scales) -> str:
    counted = [max(point.labels, 1) for point in points]
    first, last = min(counted), max(counted) + MORE
    counts = (first + (last - first) * number / LINE for number in range(LINE + 1))
    return " ".join(f"{scales.x(count)},{scales.y(law.accuracy(count))}" for count in counts)


def _round_sizes() -> Sequence[int]:
    return [size * 10**power for power in range(1, 9) for size in (1, 2, 5)]
