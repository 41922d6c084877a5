"""Calibration of confidences, and how well they separate right answers from wrong ones.

All functions take, per answer, whether it is right and the model's confidence, from 0 to 1. Items without an answer are
left out; where they matter, `asked` is the number of items including them.

- Brier (1950), "Verification of forecasts expressed in terms of probability".
- Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic curve".
- Guo et al. (2017), "On calibration of modern neural networks": the reliability diagram and its error, ECE.
- Geifman and El-Yaniv (2017), "Selective classification for deep neural networks": coverage and risk; AURC after
  Geifman, Uziel and El-Yaniv (2019), "Bias-reduced uncertainty estimation for deep neural classifiers".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from review.stats.intervals import Estimate, share

BINS = 10

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence is at least `low` and less than `high`, or at most 1 in the last bin."""

    low: float
    high: float
    n: int
    mean_confidence: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class RiskCoverageCurve:
    """Answers accepted at each threshold, and wrong ones among these; n counts all items asked."""

    n: int
    thresholds: tuple[float, ...]
    accepted: tuple[int, ...]
    wrong: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ThresholdOutcome:
    """Coverage is the share accepted of n items asked; risk is the share of wrong answers among those."""

    threshold: float
    n: int
    accepted: int
    wrong: int
    coverage: Estimate
    risk: Estimate


def brier(right: Sequence[bool], confidence: Sequence[float]) -> float | None:
    """The mean squared distance of confidence from the outcome, 1 or 0: 0 is best. None without answers."""
    hits, levels = _arrays(right, confidence)
    return float(((levels - hits) ** 2).mean()) if len(hits) else None


def auroc(right: Sequence[bool], confidence: Sequence[float]) -> float | None:
    """The probability that a right answer is more confident than a wrong one, ties counted half. None without both."""
    hits, levels = _arrays(right, confidence)
    of_right, of_wrong = levels[hits], np.sort(levels[~hits])
    if not len(of_right) or not len(of_wrong):
        return None
    below = (np.searchsorted(of_wrong, of_right, side) for side in ("left", "right"))
    return float(sum(ranks.mean() for ranks in below) / 2 / len(of_wrong))


def reliability(right: Sequence[bool], confidence: Sequence[float], bins: int = BINS) -> list[Bin]:
    """Accuracy by confidence, in non-empty bins of equal width, lowest first."""
    hits, levels = _arrays(right, confidence)
    edges = [number / bins for number in range(bins + 1)]
    # Comparison with the edges, because multiplication rounds some values into a neighbouring bin.
    place = np.minimum(np.searchsorted(edges, levels, side="right") - 1, bins - 1)
    filled = [(number, place == number) for number in range(bins) if (place == number).any()]
    return [
        Bin(edges[number], edges[number + 1], int(own.sum()), float(levels[own].mean()), _accuracy(hits[own]))
        for number, own in filled
    ]


def ece(right: Sequence[bool], confidence: Sequence[float], bins: int = BINS) -> float | None:
    """The mean distance of confidence from accuracy over bins, weighted by their size: 0 is best. None without answers.

    It depends on the bins, and is biased upwards for few answers.
    """
    filled = reliability(right, confidence, bins)
    n = sum(bin_.n for bin_ in filled)
    gaps = [bin_.n * abs((bin_.accuracy.estimate or 0.0) - bin_.mean_confidence) for bin_ in filled]
    return sum(gaps) / n if n else None


def risk_coverage(right: Sequence[bool], confidence: Sequence[float], *, asked: int | None = None) -> RiskCoverageCurve:
    """The curve over each confidence that occurs, highest first; equal confidences are accepted together."""
    return _curve(right, confidence, sorted(set(map(float, confidence)), reverse=True), asked)


def risk_coverage_grid(
    right: Sequence[bool], confidence: Sequence[float], steps: int = 100, *, asked: int | None = None
) -> RiskCoverageCurve:
    """The curve over the thresholds 0, 1/steps, 2/steps ... 1."""
    return _curve(right, confidence, [number / steps for number in range(steps + 1)], asked)


def aurc(right: Sequence[bool], confidence: Sequence[float]) -> float | None:
    """The area under the risk-coverage curve: 0 is best. None without answers.

    Equal confidences are accepted together, so the order of answers does not matter.
    """
    curve = risk_coverage(right, confidence)
    more = np.diff(curve.accepted, prepend=0)
    risks = (new * wrong / accepted for new, wrong, accepted in zip(more, curve.wrong, curve.accepted, strict=True))
    return float(sum(risks) / curve.n) if curve.n else None


def at_threshold(
    right: Sequence[bool], confidence: Sequence[float], threshold: float, *, asked: int | None = None
) -> ThresholdOutcome:
    """Coverage and risk if answers at or above this confidence are accepted, with Wilson's intervals."""
    curve = _curve(right, confidence, [threshold], asked)
    (accepted,), (wrong,) = curve.accepted, curve.wrong
    return ThresholdOutcome(threshold, curve.n, accepted, wrong, share(accepted, curve.n), share(wrong, accepted))


def _arrays(right: Sequence[bool], confidence: Sequence[float]) -> tuple[_Bools, _Floats]:
    hits, levels = np.array(right, bool), np.array(confidence, float)
    if len(hits) != len(levels):
        raise ValueError("Each answer needs its confidence.")
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError("A confidence is from 0 to 1.")
    return hits, levels


def _accuracy(hits: _Bools) -> Estimate:
    return share(int(hits.sum()), len(hits))


def _curve(
    right: Sequence[bool], confidence: Sequence[float], thresholds: Sequence[float], asked: int | None
) -> RiskCoverageCurve:
    hits, levels = _arrays(right, confidence)
    n = len(hits) if asked is None else asked
    if n < len(hits):
        raise ValueError("More answers than items asked.")
    return RiskCoverageCurve(n, tuple(thresholds), _reaching(levels, thresholds), _reaching(levels[~hits], thresholds))


def _reaching(levels: _Floats, thresholds: Sequence[float]) -> tuple[int, ...]:
    """The number of levels at or above each threshold."""
    below = np.searchsorted(np.sort(levels), thresholds, side="left")
    return tuple((len(levels) - below).tolist())
