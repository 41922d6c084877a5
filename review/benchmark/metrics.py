"""Compute a contender's figures from its graded items, as a JSON object.

Estimates are lists of four: the value, both ends of its 95% interval, and the number of items. Shares, F1 and
calibration are computed on the items that stand for the population; the rest counts what happened to any item.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import compress
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from review.benchmark.population import ItemSource, measured
from review.stats import calibration, classification, paired_tests
from review.stats.calibration import ThresholdOutcome
from review.stats.intervals import Estimate
from review.stats.percentiles import percentile
from review.stats.samples import Sample

AXES = ("category", "sentiment")


class GradedItem(NamedTuple):
    """A graded answer. Labels are keys; one that people did not give is None, and no answer to it is wrong.

    A prediction is None without an answer, or for a label without a key.

    `confidence` is None and `failure` says why if the model gave no answer.
    """

    category: int | None
    sentiment: int | None
    predicted_category: int | None
    predicted_sentiment: int | None
    category_right: bool
    sentiment_right: bool
    confidence: float | None
    failure: str
    latency_ms: float
    cost: float
    source: ItemSource

    @property
    def right(self) -> bool:
        return self.category_right and self.sentiment_right


def figures(graded: Sequence[GradedItem]) -> dict[str, Any]:
    """All figures of one contender."""
    population, chosen, sample = measured([row.source for row in graded])
    rows = list(compress(graded, chosen))
    answered = [row.latency_ms for row in graded if row.confidence is not None]
    cost = sample.mean([row.cost for row in rows])
    return {
        "population": population,
        "items": len(graded),
        "n": len(rows),
        "answered": len(answered),
        **{axis: _as_list(_accuracy(axis, rows, sample)) for axis in AXES},
        "both": _as_list(sample.share([row.right for row in rows])),
        "axes": {axis: _axis(axis, rows, sample, graded) for axis in AXES},
        "confidence": _confidence(rows, sample),
        "latency": _latency(answered),
        "cost": sum(row.cost for row in graded),
        "cost_per_1000": None if cost is None else 1000 * cost,
        "failures": dict(Counter(row.failure for row in graded if row.failure).most_common()),
    }


def labelled(axis: str, rows: Sequence[GradedItem]) -> npt.NDArray[np.bool_]:
    """A mask of the items that have a label on the axis."""
    return np.array([getattr(row, axis) is not None for row in rows], bool)


def _accuracy(axis: str, rows: Sequence[GradedItem], sample: Sample) -> Estimate:
    known = labelled(axis, rows)
    return sample.part(known).share([getattr(row, f"{axis}_right") for row in compress(rows, known)])


def expected_and_answered(rows: Sequence[GradedItem], axis: str) -> tuple[list[int], list[int | None]]:
    """Expected and answered labels; a right answer below the expected label counts as the expected one."""
    expected = [getattr(row, axis) for row in rows]
    answered = [getattr(row, axis if getattr(row, f"{axis}_right") else f"predicted_{axis}") for row in rows]
    return expected, answered


def compare_contenders(graded: Mapping[int, Sequence[GradedItem]]) -> list[dict[str, Any]]:
    """Compare every two contenders; their items must be the same, in the same order."""
    _population, chosen, sample = measured([row.source for row in next(iter(graded.values()))])
    rows = {key: list(compress(items, chosen)) for key, items in graded.items()}
    compared = paired_tests.compare_all({key: [row.right for row in items] for key, items in rows.items()}, sample)
    return [
        {"first": first, "second": second, "difference": _as_list(comparison.difference)}
        | {name: getattr(comparison, name) for name in _COMPARED}
        | {"macro_f1": {axis: _macro_difference(rows[first], rows[second], axis, sample) for axis in AXES}}
        for (first, second), comparison in compared.items()
    ]


_COMPARED = ("n", "only_first", "only_second", "p", "adjusted", "items_needed")


def _macro_difference(
    left: Sequence[GradedItem], right: Sequence[GradedItem], axis: str, sample: Sample
) -> list[float | None]:
    known = labelled(axis, left)
    expected, answered = expected_and_answered(list(compress(left, known)), axis)
    others = expected_and_answered(list(compress(right, known)), axis)[1]
    return _as_list(paired_tests.bootstrap_macro_f1(expected, answered, others, sample.part(known)))


def _latency(milliseconds: Sequence[float]) -> dict[str, float | None]:
    mean = fmean(milliseconds) if milliseconds else None
    return {"mean": mean} | {f"p{q}": percentile(milliseconds, q) for q in (50, 95, 99)}


def _as_list(estimate: Estimate) -> list[Any]:
    return list(astuple(estimate))


def _axis(axis: str, rows: Sequence[GradedItem], sample: Sample, graded: Sequence[GradedItem]) -> dict[str, Any]:
    known = labelled(axis, rows)
    labels = expected_and_answered(list(compress(rows, known)), axis)
    weights = sample.part(known).weights.tolist()
    macro = classification.macro_f1(*labels, weights=weights)
    every = list(compress(graded, labelled(axis, graded)))
    confusion = classification.confusion(*expected_and_answered(every, axis))
    return {
        "macro_f1": {"value": macro.value, "known": macro.known, "unknown": list(macro.unknown)},
        "classes": [[label, *astuple(own)] for label, own in classification.by_class(*labels, weights).items()],
        "confusion": [[*pair, number] for pair, number in confusion.items()],
    }


def _confidence(rows: Sequence[GradedItem], sample: Sample) -> dict[str, Any]:
    levels, hits = [row.confidence for row in rows], [row.right for row in rows]
    steps = [calibration.at_threshold(hits, levels, step / 100, sample) for step in range(101)]
    answers = [(row.right, row.confidence) for row in rows if row.confidence is not None]
    right, confidence = [right for right, _level in answers], [level for _right, level in answers]
    answered = sample.part(calibration.answered(levels))
    bins = calibration.reliability(right, confidence, answered)
    return {
        "brier": calibration.brier(right, confidence, answered),
        "auroc": calibration.auroc(right, confidence, answered),
        "aurc": calibration.aurc(right, confidence, answered),
        "ece": calibration.ece(bins),
        "bins": [[*astuple(bin)[:-1], _as_list(bin.accuracy)] for bin in bins],
        "steps": [[step.accepted, step.wrong, _as_list(step.coverage), _as_list(step.risk)] for step in steps],
    }


def outcome_at(figures: Mapping[str, Any], hundredths: int) -> ThresholdOutcome:
    """What a threshold in hundredths would auto-accept, from a contender's figures."""
    accepted, wrong, coverage, risk = figures["confidence"]["steps"][hundredths]
    return ThresholdOutcome(hundredths / 100, figures["n"], accepted, wrong, Estimate(*coverage), Estimate(*risk))
