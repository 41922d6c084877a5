"""Figures of a training: per axis, per label, and on the benchmark labels."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from classifier.embeddings import vector_store
from classifier.learning.heads import BoundHead
from classifier.learning.training import Candidate, Comparison, Examples
from classifier.learning.weights import SpecialistWeights
from review.benchmark.grading import Grader
from review.models import GoldLabel, Side
from review.specialist.training_data import TrainingData

MOST_ITEMS = 2_000
"""Of the benchmark side, the latest labels."""

Pair = tuple[float, int]
"""The probability of the label given, and the key of the likeliest one."""


class BenchmarkEvaluation(NamedTuple):
    """How a version does on the benchmark side: the figures, and by gold label what it said of each axis."""

    figures: dict[str, int] | None
    said: list[tuple[int, Pair, Pair]]


def axis_figures(trial: Candidate | None, comparison: Comparison, examples: Examples) -> dict[str, Any]:
    """How an axis compared, and of each label [examples, held out, right of those], by its key."""
    figures: dict[str, Any] = comparison._asdict() | {"wins": comparison.wins, "recipe": "", "labels": {}}
    if trial is None:
        return figures
    record = trial.head.record
    taught = Counter(examples.labels.tolist())
    held_out, right = Counter(record.labels.tolist()), Counter(record.labels[record.right == 1].tolist())
    labels = {str(key): [taught[key], held_out[key], right[key]] for key in sorted(taught)}
    return figures | {"recipe": str(trial.head.recipe), "labels": labels}


def evaluate_on_benchmark(learned: SpecialistWeights, lesson: TrainingData) -> BenchmarkEvaluation:
    """Counts of right answers among the latest items; without figures where there are none."""
    held_out = GoldLabel.objects.usable().on_side(Side.BENCHMARK).order_by("-pk")
    items = list(held_out.values_list("pk", "text", "category", "sentiment")[:MOST_ITEMS])
    if not items:
        return BenchmarkEvaluation(None, [])
    texts = [text for _pk, text, _category, _sentiment in items]
    found = vector_store.embeddings_for(texts)
    grader, labels = Grader(), lesson.contract.labels
    category = BoundHead(learned.category, lesson.offered["category"]).probabilities(found, texts)
    sentiment = BoundHead(learned.sentiment, lesson.offered["sentiment"]).probabilities(found, texts)
    categories, sentiments = list(labels.categories), list(labels.sentiments)
    right = np.array(
        [
            [
                grader.category(categories[int(of_category.argmax())], expected, labels),
                grader.sentiment(sentiments[int(of_sentiment.argmax())], wanted, labels),
            ]
            for of_category, of_sentiment, (_pk, _text, expected, wanted) in zip(
                category, sentiment, items, strict=True
            )
        ]
    )
    figures = {
        "items": len(items),
        "category": int(right[:, 0].sum()),
        "sentiment": int(right[:, 1].sum()),
        "both": int(right.all(axis=1).sum()),
    }
    said = [
        (
            pk,
            _pair(of_category, lesson.offered["category"], expected),
            _pair(of_sentiment, lesson.offered["sentiment"], wanted),
        )
        for (pk, _text, expected, wanted), of_category, of_sentiment in zip(items, category, sentiment, strict=True)
    ]
    return BenchmarkEvaluation(figures, said)


def _pair(shares: Any, offered: Any, expected: int) -> Pair:
    given = sum(float(share) for share, label in zip(shares, offered, strict=True) if expected in label.keys)
    return given, offered[int(np.argmax(shares))].keys[0]
