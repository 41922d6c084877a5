"""Where things stand in the drawings of the promise: figures in, points of an SVG out. Pure.

Both run over the share of tickets that would pass, from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from review.stats.charts import (
    LEFT,
    PLOT,
    RIGHT,
    TOP,
    WIDTH,
    Axes,
    Bar,
    Dot,
    Tick,
)

BAR = 6.0
DOT = 4.0
_ENDS = {5: 1, 10: 2, 20: 5, 50: 10, 100: 25}
"""Where the scale of errors may end, in percent, and how far its marks are apart."""


class Point(NamedTuple):
    """A threshold: the share that would pass, the share of wrong ones with its interval (None where unknown), and how
    far its evidence has come.
    """

    coverage: float
    wrong: tuple[float, float, float] | None
    evidence: float
    certified: bool


@dataclass(frozen=True, slots=True)
class Errors:
    """How many are wrong among those that would pass, and the line below which the promise holds."""

    axes: Axes
    dots: tuple[Dot, ...]
    limit: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much of the evidence that a threshold takes is there."""

    axes: Axes
    done: tuple[Bar, ...]
    under_way: tuple[Bar, ...]


def errors(points: Sequence[Point], limit: float) -> Errors:
    known = [(one.coverage, *one.wrong) for one in points if one.wrong]
    # Wide intervals may leave the drawing rather than squeeze what is known well.
    highest = max([1.5 * limit, *(estimate for _coverage, estimate, _low, _high in known)])
    end = next(one for one in _ENDS if 100 * highest <= one)
    dots = tuple(
        Dot(_x(coverage), _y(estimate, end), _y(low, end), _y(high, end), DOT)
        for coverage, estimate, low, high in known
    )
    return Errors(_axes(end, _ENDS[end]), dots, _y(limit, end))


def evidence(points: Sequence[Point]) -> Evidence:
    bars = [(one.certified, _bar(one)) for one in points]
    done = tuple(bar for certified, bar in bars if certified)
    return Evidence(_axes(100, 25), done, tuple(bar for certified, bar in bars if not certified))


def _bar(point: Point) -> Bar:
    # What has just begun is still there to be seen.
    height = max(round(PLOT * point.evidence, 1), 1.0)
    return Bar(round(_x(point.coverage) - BAR / 2, 1), round(TOP + PLOT - height, 1), BAR, height, 0)


def _axes(end: int, step: int) -> Axes:
    x = tuple(Tick(_x(percent / 100), percent) for percent in range(0, 101, 25))
    y = tuple(Tick(_y(percent / 100, end), percent) for percent in range(0, end + 1, step))
    return Axes(LEFT, RIGHT, TOP, TOP + PLOT, x, y, WIDTH, TOP + PLOT + 40)


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _y(share: float, end: int) -> float:
    return round(TOP + PLOT * (1 - min(max(100 * share / end, 0.0), 1.0)), 1)
