"""Compute the figures of a training: per axis, per label, and on the benchmark labels."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from classifier.embeddings import vector_store
from classifier.learning.comparison import Comparison
from classifier.learning.examples import Examples
from classifier.learning.heads import BoundHead, OfferedLabel
from classifier.learning.training import Candidate
from classifier.learning.vector_space import Floats
from classifier.learning.weights import SpecialistWeights
from classifier.models.contract import Labels
from review.benchmark.grading import Grader
from review.benchmark.population import ItemSource, measured
from review.models import GoldLabel, Side
from review.specialist.training_data import TrainingData
from review.stats.samples import Bools, Sample

MOST_ITEMS = 2_000
"""Benchmark labels evaluated, latest first."""

AxisResult = tuple[float, int]
"""The probability of the expected label, and the key of the most probable one."""


class BenchmarkEvaluation(NamedTuple):
    """Effective counts of right answers by axis (None without benchmark labels), and each gold label's results."""

    figures: dict[str, Any] | None
    results: list[tuple[int, AxisResult, AxisResult]]


def axis_figures(trial: Candidate | None, comparison: Comparison, examples: Examples) -> dict[str, Any]:
    """The comparison of an axis, and by label key the number of examples and the effective counts of those held out."""
    figures: dict[str, Any] = comparison._asdict() | {"wins": comparison.wins, "recipe": "", "labels": {}}
    if trial is None:
        return figures
    record = trial.head.record
    taught = Counter(label for label in examples.labels.tolist() if label)
    group_of = dict(zip(examples.keys.tolist(), examples.groups.tolist(), strict=True))
    groups = np.array([group_of[key] for key in record.examples.tolist()], np.int64)
    labels = {}
    for key in sorted(taught):
        own = record.labels == key
        sample = Sample.drawn(np.ones(own.sum()), groups[own])
        labels[str(key)] = [taught[key], *_effective_counts(record.right[own] == 1, sample)]
    return figures | {"recipe": trial.head.recipe, "labels": labels}


def evaluate_on_benchmark(learned: SpecialistWeights, lesson: TrainingData) -> BenchmarkEvaluation:
    """Evaluate weights on the latest benchmark labels."""
    both = GoldLabel.objects.filter(category__isnull=False, sentiment__isnull=False)
    held_out = both.usable().on_side(Side.BENCHMARK).order_by("-pk")
    columns = ("pk", "text", "category", "sentiment", "origin", "share", "group")
    items = list(held_out.values_list(*columns)[:MOST_ITEMS])
    if not items:
        return BenchmarkEvaluation(None, [])
    pks, texts, categories, sentiments, *sources = (list(column) for column in zip(*items, strict=True))
    embeddings = vector_store.embeddings_for(texts)
    grader, labels, offered = Grader(), lesson.contract.labels, lesson.offered
    by_category = BoundHead(learned.category, offered["category"]).probabilities(embeddings, texts)
    by_sentiment = BoundHead(learned.sentiment, offered["sentiment"]).probabilities(embeddings, texts)
    category_right = _right(grader.category, list(labels.categories), by_category, categories, labels)
    sentiment_right = _right(grader.sentiment, list(labels.sentiments), by_sentiment, sentiments, labels)
    population, rows, sample = measured([ItemSource(*source) for source in zip(*sources, strict=True)])
    right = {"category": np.array(category_right, bool), "sentiment": np.array(sentiment_right, bool)}
    right["both"] = right["category"] & right["sentiment"]
    figures = {"items": len(sample), "population": population}
    figures |= {name: _effective_counts(hits[rows], sample) for name, hits in right.items()}
    results = zip(
        pks,
        _axis_results(by_category, offered["category"], categories),
        _axis_results(by_sentiment, offered["sentiment"], sentiments),
        strict=True,
    )
    return BenchmarkEvaluation(figures, list(results))


def _effective_counts(hits: Bools, sample: Sample) -> tuple[float, float]:
    """How many are right of how many independent items that would say as much as these."""
    size = sample.effective_size(hits) if len(sample) else 0.0
    return size * (sample.mean(hits) or 0.0), size


def _right(
    grade: Callable[[str, int, Labels], bool],
    names: Sequence[str],
    probabilities: Floats,
    expected: Sequence[int],
    labels: Labels,
) -> list[bool]:
    answers = (names[int(place)] for place in probabilities.argmax(axis=1))
    return [grade(answer, pk, labels) for answer, pk in zip(answers, expected, strict=True)]


def _axis_results(
    probabilities: Floats, offered: Sequence[OfferedLabel], expected: Sequence[int]
) -> Iterator[AxisResult]:
    for row, pk in zip(probabilities, expected, strict=True):
        of_expected = sum(float(share) for share, label in zip(row, offered, strict=True) if pk in label.keys)
        yield of_expected, offered[int(row.argmax())].keys[0]
