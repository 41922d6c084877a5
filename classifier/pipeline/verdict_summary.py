"""Summarises a verdict for the API and the `classify` command."""

from collections.abc import Mapping
from typing import Any

from classifier.models import Prediction, Verdict


def verdict_summary(verdict: Verdict, names: Mapping[int, str]) -> dict[str, Any]:
    """The label, confidence and reasoning (None without a valid answer), and how they came about.

    `names` are the paths of the categories by key.
    """
    by, second = verdict.prediction or verdict.failure, verdict.second_opinion
    assert by is not None  # noqa: S101 - ensured by a constraint
    return (_label(by, names) if isinstance(by, Prediction) else _no_label(by.detail)) | {
        "review_flag": not verdict.auto_accepted,
        "review_reason": None if verdict.auto_accepted else str(verdict.reason),
        "fallback_review": _label(second, names) | {"model": second.language_model.name} if second else None,
        "model": by.language_model.name,
        "latency_ms": round(by.latency_ms, 1),
    }


def _label(prediction: Prediction, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "category": names[prediction.category_id],
        "sentiment": prediction.sentiment.name,
        "confidence": round(prediction.confidence, 4),
        "reasoning": prediction.reasoning,
    }


def _no_label(error: str) -> dict[str, Any]:
    return dict.fromkeys(("category", "sentiment", "confidence", "reasoning")) | {"error": error}
