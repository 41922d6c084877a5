"""Self-confidence of gold labels: the probability of a label by a model that wasn't trained on it."""

from collections.abc import Iterator
from typing import NamedTuple

from classifier.learning.training import Candidate
from review.models import GoldLabel, Side
from review.specialist.evaluation import BenchmarkEvaluation
from review.specialist.label_issues import LabelSelfConfidence
from review.specialist.training_data import AXES, TrainingData


class _Prediction(NamedTuple):
    self_confidence: float
    best: int


def from_training(lesson: TrainingData, trials: dict[str, Candidate | None]) -> Iterator[LabelSelfConfidence]:
    """The self-confidence of every example that was held out from training."""
    categories, sentiments = (_held_out(lesson, name, trials[name]) for name in AXES)
    pks = dict(GoldLabel.objects.usable().on_side(Side.TRAINING).values_list("digest", "pk"))
    for row in categories.keys() & sentiments.keys():
        if pk := pks.get(lesson.digests[row]):
            yield _joint(pk, categories[row], sentiments[row])


def from_benchmark(on_benchmark: BenchmarkEvaluation) -> Iterator[LabelSelfConfidence]:
    """The self-confidence of the benchmark labels."""
    for pk, categories, sentiments in on_benchmark.results:
        yield _joint(pk, _Prediction(*categories), _Prediction(*sentiments))


def _joint(pk: int, category: _Prediction, sentiment: _Prediction) -> LabelSelfConfidence:
    return LabelSelfConfidence(
        gold_pk=pk,
        self_confidence=category.self_confidence * sentiment.self_confidence,
        category_pk=category.best,
        sentiment_pk=sentiment.best,
    )


def _held_out(lesson: TrainingData, name: str, trial: Candidate | None) -> dict[int, _Prediction]:
    """By example, the probability of its label and the key of the most probable one.

    On an axis that could not be trained every label counts as certain.
    """
    if trial is None:
        return {row: _Prediction(1.0, int(label)) for row, label in enumerate(lesson.examples[name].labels)}
    offered = lesson.offered[name]
    column = {key: number for number, label in enumerate(offered) for key in label.keys}
    labels = lesson.examples[name].labels
    return {
        int(row): _Prediction(float(shares[column[int(labels[row])]]), offered[int(shares.argmax())].keys[0])
        for row, shares in zip(trial.rows, trial.probabilities, strict=True)
    }
