"""Compute the figures of a training: per axis, per label, and on the benchmark labels."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from classifier.embeddings import vector_store
from classifier.learning.comparison import Comparison
from classifier.learning.heads import BoundHead, OfferedLabel
from classifier.learning.training import Candidate, Examples
from classifier.learning.vector_space import Floats
from classifier.learning.weights import SpecialistWeights
from classifier.models.contract import Labels
from review.benchmark.grading import Grader
from review.models import GoldLabel, Side
from review.specialist.training_data import TrainingData

MOST_ITEMS = 2_000
"""Benchmark labels evaluated, latest first."""

AxisResult = tuple[float, int]
"""The probability of the expected label, and the key of the most probable one."""


class BenchmarkEvaluation(NamedTuple):
    """Counts of right answers (None without benchmark labels), and the result of each axis by gold label."""

    figures: dict[str, int] | None
    results: list[tuple[int, AxisResult, AxisResult]]


def axis_figures(trial: Candidate | None, comparison: Comparison, examples: Examples) -> dict[str, Any]:
    """The comparison of an axis, and by label key [examples, held out, right of those held out]."""
    figures: dict[str, Any] = comparison._asdict() | {"wins": comparison.wins, "recipe": "", "labels": {}}
    if trial is None:
        return figures
    record = trial.head.record
    taught = Counter(label for label in examples.labels.tolist() if label)
    held_out, right = Counter(record.labels.tolist()), Counter(record.labels[record.right == 1].tolist())
    labels = {str(key): [taught[key], held_out[key], right[key]] for key in sorted(taught)}
    return figures | {"recipe": str(trial.head.recipe), "labels": labels}


def evaluate_on_benchmark(learned: SpecialistWeights, lesson: TrainingData) -> BenchmarkEvaluation:
    """Evaluate weights on the latest benchmark labels."""
    both = GoldLabel.objects.filter(category__isnull=False, sentiment__isnull=False)
    held_out = both.usable().on_side(Side.BENCHMARK).order_by("-pk")
    items = list(held_out.values_list("pk", "text", "category", "sentiment")[:MOST_ITEMS])
    if not items:
        return BenchmarkEvaluation(None, [])
    pks, texts, categories, sentiments = (list(column) for column in zip(*items, strict=True))
    vectors = vector_store.embeddings_for(texts)
    grader, labels, offered = Grader(), lesson.contract.labels, lesson.offered
    by_category = BoundHead(learned.category, offered["category"]).probabilities(vectors, texts)
    by_sentiment = BoundHead(learned.sentiment, offered["sentiment"]).probabilities(vectors, texts)
    category_right = _right(grader.category, list(labels.categories), by_category, categories, labels)
    sentiment_right = _right(grader.sentiment, list(labels.sentiments), by_sentiment, sentiments, labels)
    figures = {
        "items": len(items),
        "category": sum(category_right),
        "sentiment": sum(sentiment_right),
        "both": sum(map(all, zip(category_right, sentiment_right, strict=True))),
    }
    results = zip(
        pks,
        _axis_results(by_category, offered["category"], categories),
        _axis_results(by_sentiment, offered["sentiment"], sentiments),
        strict=True,
    )
    return BenchmarkEvaluation(figures, list(results))


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
