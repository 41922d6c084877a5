"""Charts of error and evidence by coverage. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from review.stats.svg import PLOT, TOP, Axes, Bar, Dot, Frame, bar_height, percent_axes, percent_frame

BAR = 6.0
DOT = 4.0


class ThresholdPoint(NamedTuple):
    """A threshold: the share that it would auto-accept, the share of wrong ones with its interval (None if unknown),
    and the evidence as a share of what a certificate takes.
    """

    coverage: float
    wrong: tuple[float, float, float] | None
    evidence: float
    certified: bool


@dataclass(frozen=True, slots=True)
class ErrorChart:
    """The share of wrong tickets by coverage, and the line of the largest share allowed."""

    axes: Axes
    dots: tuple[Dot, ...]
    limit: float


@dataclass(frozen=True, slots=True)
class EvidenceChart:
    """The evidence by coverage, as a share of what each threshold takes."""

    axes: Axes
    done: tuple[Bar, ...]
    bars: tuple[Bar, ...]


def error_chart(points: Sequence[ThresholdPoint], limit: float) -> ErrorChart:
    known = [(point.coverage, *point.wrong) for point in points if point.wrong]
    # Wide intervals may run off the chart, so that they do not squeeze the narrow ones.
    frame = percent_frame(max([1.5 * limit, *(estimate for _coverage, estimate, _low, _high in known)]))
    dots = tuple(frame.dot(coverage, estimate, (low, high), DOT) for coverage, estimate, low, high in known)
    return ErrorChart(percent_axes(frame), dots, frame.y.at(limit))


def evidence_chart(points: Sequence[ThresholdPoint]) -> EvidenceChart:
    frame = percent_frame()
    bars = [(point.certified, _bar(point, frame)) for point in points]
    done = tuple(bar for certified, bar in bars if certified)
    return EvidenceChart(percent_axes(frame), done, tuple(bar for certified, bar in bars if not certified))


def _bar(point: ThresholdPoint, frame: Frame) -> Bar:
    height = bar_height(point.evidence, PLOT)
    return Bar(round(frame.x.at(point.coverage) - BAR / 2, 1), round(TOP + PLOT - height, 1), BAR, height)
