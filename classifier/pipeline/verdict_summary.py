"""Summarises a verdict for the API and the `classify` command."""

from collections.abc import Sequence
from typing import Any

from classifier.models import Prediction, Verdict
from classifier.tickets.label_reader import LabelReader


def verdict_summaries(verdicts: Sequence[Verdict | None]) -> list[dict[str, Any]]:
    """Of each verdict, the label, confidence and reasoning (None without a valid answer), and how they came about.
    Empty where there is no verdict (the queries of LabelReader).
    """
    predictions = [prediction for verdict in verdicts if verdict for prediction in _predictions(verdict)]
    reader = LabelReader(predictions)
    return [_summary(verdict, reader) if verdict else {} for verdict in verdicts]


def _predictions(verdict: Verdict) -> list[Prediction]:
    return [prediction for prediction in (verdict.prediction, verdict.second_opinion) if prediction]


def _summary(verdict: Verdict, reader: LabelReader) -> dict[str, Any]:
    by, second = verdict.prediction or verdict.failure, verdict.second_opinion
    assert by is not None  # noqa: S101 - ensured by a constraint
    return (_label(by, reader) if isinstance(by, Prediction) else _no_label(by.detail)) | {
        "review_flag": not verdict.auto_accepted,
        "review_reason": None if verdict.auto_accepted else str(verdict.reason),
        "fallback_review": _label(second, reader) | {"model": second.language_model.name} if second else None,
        "model": by.model_name if isinstance(by, Prediction) else by.language_model.name,
        "latency_ms": round(by.latency_ms, 1),
    }


def _label(prediction: Prediction, reader: LabelReader) -> dict[str, Any]:
    return reader.values(prediction) | {
        "confidence": round(prediction.confidence, 4),
        "reasoning": prediction.reasoning,
    }


def _no_label(error: str) -> dict[str, Any]:
    return dict.fromkeys(("category", "further_categories", "sentiment", "confidence", "reasoning", "attributes")) | {
        "error": error
    }
