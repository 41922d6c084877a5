"""Calibration of confidences, and how well they separate right answers from wrong ones. Pure.

All functions take, per answer, whether it is right, the model's confidence from 0 to 1, and the sample that the answers
are from.

- Brier (1950), "Verification of forecasts expressed in terms of probability".
- Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic curve".
- Guo et al. (2017), "On calibration of modern neural networks": the reliability diagram and its error, ECE.
- Geifman and El-Yaniv (2017), "Selective classification for deep neural networks": coverage and risk; AURC after
  Geifman, Uziel and El-Yaniv (2019), "Bias-reduced uncertainty estimation for deep neural classifiers".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from review.stats.intervals import Estimate
from review.stats.samples import Bools, Floats, Sample

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence is at least `low` and less than `high`, or at most 1 in the last bin; `share` is
    their share of all answers.
    """

    low: float
    high: float
    n: int
    share: float
    mean_confidence: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class ThresholdOutcome:
    """What a threshold accepts of n items: coverage is the share accepted, risk that of wrong answers among these."""

    threshold: float
    n: int
    accepted: int
    wrong: int
    coverage: Estimate
    risk: Estimate

    @property
    def waiting(self) -> int:
        return self.n - self.accepted


def brier(right: Sequence[bool], confidence: Sequence[float], sample: Sample) -> float | None:
    """The mean squared distance of confidence from the outcome, 1 or 0: 0 is best. None without answers."""
    hits, levels = _arrays(right, confidence)
    return sample.mean((levels - hits) ** 2)


def auroc(right: Sequence[bool], confidence: Sequence[float], sample: Sample) -> float | None:
    """The probability that a right answer is more confident than a wrong one, ties counted half. None without both."""
    hits, levels = _arrays(right, confidence)
    order = np.argsort(levels[~hits])
    of_wrong, below = levels[~hits][order], np.concatenate([[0.0], sample.weights[~hits][order].cumsum()])
    if not hits.any() or not len(of_wrong):
        return None
    ranks = sum(below[np.searchsorted(of_wrong, levels[hits], side)] for side in ("left", "right"))
    return float(np.average(ranks, weights=sample.weights[hits]) / 2 / below[-1])


def reliability(right: Sequence[bool], confidence: Sequence[float], sample: Sample, bins: int = BINS) -> list[Bin]:
    """Accuracy by confidence, in non-empty bins of equal width, lowest first."""
    hits, levels = _arrays(right, confidence)
    edges = [number / bins for number in range(bins + 1)]
    # Comparison with the edges, because multiplication rounds some values into a neighbouring bin.
    place = np.minimum(np.searchsorted(edges, levels, side="right") - 1, bins - 1)
    filled = [(number, place == number) for number in range(bins) if (place == number).any()]
    return [
        Bin(
            low=edges[number],
            high=edges[number + 1],
            n=int(own.sum()),
            share=sample.mean(own) or 0.0,
            mean_confidence=sample.part(own).mean(levels[own]) or 0.0,
            accuracy=sample.part(own).share(hits[own]),
        )
        for number, own in filled
    ]


def ece(bins: Sequence[Bin]) -> float | None:
    """The mean distance of confidence from accuracy over bins, weighted by their size: 0 is best. None without answers.

    It depends on the bins, and is biased upwards for few answers.
    """
    gaps = [bin_.share * abs((bin_.accuracy.estimate or 0.0) - bin_.mean_confidence) for bin_ in bins]
    return sum(gaps) if gaps else None


def aurc(right: Sequence[bool], confidence: Sequence[float], sample: Sample) -> float | None:
    """The area under the risk-coverage curve: 0 is best. None without answers.

    Equal confidences are accepted together, so the order of answers does not matter.
    """
    hits, levels = _arrays(right, confidence)
    if not len(hits):
        return None
    places = np.unique(-levels, return_inverse=True)[1]
    more, wrong = np.bincount(places, sample.weights), np.bincount(places, sample.weights * ~hits)
    return float(more @ (wrong.cumsum() / more.cumsum()) / more.sum())


def at_threshold(
    right: Sequence[bool], confidence: Sequence[float | None], threshold: float, sample: Sample
) -> ThresholdOutcome:
    """What is accepted if answers at or above this confidence are; without an answer, the confidence is None."""
    hits, levels = _arrays(right, confidence)
    accepted = levels >= threshold
    wrong = accepted & ~hits
    return ThresholdOutcome(
        threshold=threshold,
        n=len(hits),
        accepted=int(accepted.sum()),
        wrong=int(wrong.sum()),
        coverage=sample.share(accepted),
        risk=sample.part(accepted).share(wrong[accepted]),
    )


def answered(confidence: Sequence[float | None]) -> Bools:
    """A mask of the items that have an answer."""
    return np.array([level is not None for level in confidence], bool)


def _arrays(right: Sequence[bool], confidence: Sequence[float | None]) -> tuple[Bools, Floats]:
    hits, levels = np.array(right, bool), np.array(confidence, float)
    if len(hits) != len(levels):
        raise ValueError("Each answer needs its confidence.")
    if ((levels < 0) | (levels > 1)).any():
        raise ValueError("A confidence is from 0 to 1.")
    return hits, levels
