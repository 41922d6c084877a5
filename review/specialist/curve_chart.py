"""Draw the chart of the learning curve. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from review.specialist.learning_curve import LABELS_AHEAD, Point, PowerLaw
from review.stats.intervals import share
from review.stats.svg import LEFT, PLOT, RIGHT, TOP, Axes, Dot, Frame, Scale

STEPS, LINE = 6, 40
RADIUS = 3.5
END = RIGHT - 8
"""The right edge, which leaves room for a number of five digits below the corner."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy of versions over their number of labels. `line` is the fitted law as SVG points, or empty."""

    axes: Axes
    dots: tuple[Dot, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Scales:
    """Labels from 0 to `end` from left to right, shares from `low` to 1 upwards."""

    end: int
    step: int
    low: float

    @classmethod
    def over(cls, points: Sequence[Point], more: int = LABELS_AHEAD) -> "Scales":
        """Scales that fit these points with their intervals, and `more` labels."""
        most = max((point.labels for point in points), default=0) + more
        step = next(size for size in _round_sizes() if most <= STEPS * size)
        lows = (share(point.right, point.items).low or 0.0 for point in points)
        low = floor(10 * min(lows, default=0.0))
        return cls(ceil(most / step) * step, step, (low if low >= 5 else low - low % 2) / 10)

    @property
    def frame(self) -> Frame:
        return Frame(Scale(0, self.end, LEFT, END), Scale(self.low, 1, TOP + PLOT, TOP))

    @property
    def axes(self) -> Axes:
        low = round(100 * self.low)
        step = 5 if low >= 70 else 10 if low >= 50 else 20
        return self.frame.axes(range(0, self.end + 1, self.step), range(100, low - 1, -step))


def draw(points: Sequence[Point], law: PowerLaw | None, scales: Scales) -> Curve:
    """Draw the points, and the law from the first number of labels to beyond the last."""
    frame = scales.frame
    dots = tuple(_dot(point, frame) for point in points)
    return Curve(scales.axes, dots, frame.line(_course(points, law)) if law else "")


def _dot(point: Point, frame: Frame) -> Dot:
    figure = share(point.right, point.items)
    return frame.dot(point.labels, figure.estimate or 0.0, (figure.low or 0.0, figure.high or 0.0), RADIUS)


def _course(points: Sequence[Point], law: PowerLaw) -> list[tuple[float, float]]:
    counted = [max(point.labels, 1) for point in points]
    first, last = min(counted), max(counted) + LABELS_AHEAD
    counts = (first + (last - first) * number / LINE for number in range(LINE + 1))
    return [(count, law.accuracy(count)) for count in counts]


def _round_sizes() -> Sequence[int]:
    return [size * 10**power for power in range(1, 9) for size in (1, 2, 5)]
