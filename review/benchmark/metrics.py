"""Compute a contender's figures from its graded items, as a JSON object. Pure.

Estimates are lists of four: the value, both ends of its 95% interval, and the number of items.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from statistics import fmean
from typing import Any, NamedTuple

from review.stats import calibration, classification, intervals, paired_tests
from review.stats.intervals import Estimate
from review.stats.percentiles import percentile

AXES = ("category", "sentiment")


class GradedItem(NamedTuple):
    """A graded answer. Labels are keys; a prediction is None without an answer, or for a label without a key.

    `confidence` is None and `failure` says why if the model gave no answer.
    """

    category: int
    sentiment: int
    predicted_category: int | None
    predicted_sentiment: int | None
    category_right: bool
    sentiment_right: bool
    confidence: float | None
    failure: str
    latency_ms: float
    cost: float

    @property
    def right(self) -> bool:
        return self.category_right and self.sentiment_right


def figures(rows: Sequence[GradedItem]) -> dict[str, Any]:
    """All figures of one contender."""
    answered = [row for row in rows if row.confidence is not None]
    return {
        "n": len(rows),
        "answered": len(answered),
        "category": _share([row.category_right for row in rows]),
        "sentiment": _share([row.sentiment_right for row in rows]),
        "both": _share([row.right for row in rows]),
        "axes": {axis: _axis(*expected_and_answered(rows, axis)) for axis in AXES},
        "confidence": _confidence(answered, len(rows)),
        "latency": _latency([row.latency_ms for row in answered]),
        "cost": sum(row.cost for row in rows),
        "cost_per_1000": 1000 * sum(row.cost for row in rows) / len(rows) if rows else None,
        "failures": dict(Counter(row.failure for row in rows if row.failure).most_common()),
    }


def expected_and_answered(rows: Sequence[GradedItem], axis: str) -> tuple[list[int], list[int | None]]:
    """Expected and answered labels; a right answer below the expected label counts as the expected one."""
    expected = [getattr(row, axis) for row in rows]
    answered = [getattr(row, axis if getattr(row, f"{axis}_right") else f"predicted_{axis}") for row in rows]
    return expected, answered


def compare_contenders(rows: Mapping[int, Sequence[GradedItem]]) -> list[dict[str, Any]]:
    """Compare every two contenders; their items must be the same, in the same order."""
    right = {key: [row.right for row in graded] for key, graded in rows.items()}
    return [
        {
            "first": first,
            "second": second,
            "n": compared.n,
            "only_first": compared.only_first,
            "only_second": compared.only_second,
            "p": compared.p,
            "adjusted": compared.adjusted,
            "difference": _as_list(compared.difference),
            "items_needed": compared.items_needed,
            "verdict": compared.verdict.name.lower(),
            "macro_f1": {axis: _as_list(_macro_difference(rows[first], rows[second], axis)) for axis in AXES},
        }
        for (first, second), compared in paired_tests.compare_all(right).items()
    ]


def _macro_difference(left: Sequence[GradedItem], right: Sequence[GradedItem], axis: str) -> Estimate:
    expected, answered = expected_and_answered(left, axis)
    return paired_tests.bootstrap_macro_f1(expected, answered, expected_and_answered(right, axis)[1])


def _latency(milliseconds: Sequence[float]) -> dict[str, float | None]:
    mean = fmean(milliseconds) if milliseconds else None
    return {"mean": mean} | {f"p{q}": percentile(milliseconds, q) for q in (50, 95, 99)}


def _share(right: Sequence[bool]) -> list[Any]:
    return _as_list(intervals.share(sum(right), len(right)))


def _as_list(estimate: Estimate) -> list[Any]:
    return list(astuple(estimate))


def _axis(expected: Sequence[int], answered: Sequence[int | None]) -> dict[str, Any]:
    macro = classification.macro_f1(expected, answered)
    return {
        "macro_f1": {"value": macro.value, "known": macro.known, "unknown": list(macro.unknown)},
        "classes": [[label, *astuple(scores)] for label, scores in classification.by_class(expected, answered).items()],
        "confusion": [[*pair, number] for pair, number in classification.confusion(expected, answered).items()],
    }


def _confidence(answered: Sequence[GradedItem], asked: int) -> dict[str, Any]:
    right, levels = [row.right for row in answered], [row.confidence or 0.0 for row in answered]
    grid = calibration.risk_coverage_grid(right, levels, asked=asked)
    bins = calibration.reliability(right, levels)
    return {
        "brier": calibration.brier(right, levels),
        "auroc": calibration.auroc(right, levels),
        "aurc": calibration.aurc(right, levels),
        "ece": calibration.ece(right, levels),
        "bins": [[bin.low, bin.high, bin.n, bin.mean_confidence, *_as_list(bin.accuracy)] for bin in bins],
        "accepted": list(grid.accepted),
        "wrong": list(grid.wrong),
    }
