"""Scores predictions: collects their signals and estimates the probability that each is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from classifier.contract.types import Option
from classifier.embeddings import vector_store
from classifier.embeddings.sources import encoder_sources
from classifier.learning.vector_space import Embeddings
from classifier.models import ContractVersion, Prediction, Score, Scorer, SpecialistVersion, Ticket
from classifier.models.language_models import Learning
from classifier.models.specialist import text_digest
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring.signals import AxisSignals, Signals

if TYPE_CHECKING:
    from classifier.inference.backends.specialist_predictor import LabelProbabilities, SpecialistPredictor


def stored_scores(outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
    """The scores of predictions by ticket, each computed and stored once. Failures have none."""
    predictions = _predictions(outcomes)
    stored = Score.objects.filter(scorer=scorer, prediction__in=[prediction.pk for _ticket, prediction in predictions])
    scores = {score.prediction_id: score for score in stored}
    unscored = [(ticket, prediction) for ticket, prediction in predictions if prediction.pk not in scores]
    if unscored:
        embeddings = vector_store.embeddings_for([ticket.text for ticket, _prediction in unscored])
        # A concurrent worker computes the same scores.
        Score.objects.bulk_create(_scores(unscored, scorer, version, embeddings), ignore_conflicts=True)
        scores |= {score.prediction_id: score for score in stored.all()}
    return {ticket.pk: scores[prediction.pk] for ticket, prediction in predictions}


def unstored_scores(outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
    """The scores of unsaved predictions by ticket; stores neither scores nor vectors."""
    predictions = _predictions(outcomes)
    scores = _scores(predictions, scorer, version, None)
    return {ticket.pk: score for (ticket, _prediction), score in zip(predictions, scores, strict=True)}


def signals_for(outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> list[Signals]:
    """The signals of predictions for this scorer, in order; stores only the tickets' vectors."""
    predictions = _predictions(outcomes)
    embeddings = vector_store.embeddings_for([ticket.text for ticket, _prediction in predictions])
    return _signals(predictions, scorer, version, embeddings)


def _predictions(outcomes: Sequence[TicketOutcome]) -> list[tuple[Ticket, Prediction]]:
    return [(ticket, outcome) for ticket, outcome in outcomes if isinstance(outcome, Prediction)]


def _axis_signals(probabilities: LabelProbabilities, row: int, place: int | None, learning: str | None) -> AxisSignals:
    """What the specialist says of a label. `place` is the label's position among those offered; `learning` is the
    embedded model's, None for endpoints.
    """
    if place is None:
        return AxisSignals()
    shares = probabilities.combined[row]
    rivals = np.delete(shares, place)
    by_words = None if probabilities.words_only is None else int(probabilities.words_only[row].argmax()) == place
    # A model's agreement with itself says nothing.
    same_words, same_model = learning == Learning.WORDS, learning is not None and learning != Learning.WORDS
    return AxisSignals(
        agrees=None if same_model else int(shares.argmax()) == place,
        words_agree=None if same_words else by_words,
        probability=None if same_model else float(shares[place]),
        margin=float(shares[place] - rivals.max()) if len(rivals) else None,
    )


def _own_signals(prediction: Prediction, axis: str) -> dict[str, Any]:
    """What the first model itself says of its label, and whether that is the one answered."""
    first = prediction.first or prediction
    label = getattr(first, f"{axis}_id")
    shares = dict(first.probabilities.get(axis, {}))
    own = shares.pop(str(label), None)
    return {
        "own": label == getattr(prediction, f"{axis}_id"),
        "logprob": getattr(first, f"{axis}_logprob"),
        "own_margin": None if own is None or not shares else own - max(shares.values()),
    }


@lru_cache(maxsize=3)
def specialist_predictor(version_pk: int | None) -> SpecialistPredictor:
    """The predictor of this specialist version; None means one that knows only the labels' descriptions."""
    from classifier.inference.backends.specialist_predictor import SpecialistPredictor
    from classifier.learning.weights import SpecialistWeights

    if version_pk is None:
        learned = SpecialistWeights.untrained()
    else:
        learned = SpecialistVersion.objects.get(pk=version_pk).load_weights_or_untrained()
    return SpecialistPredictor(encoder_sources(), learned)


def places(options: Sequence[Option], keys: Mapping[str, int]) -> dict[int, int]:
    """Where each label stands among those offered, by its key."""
    return {keys[option.name]: place for place, option in enumerate(options) if option.name in keys}


def _signals(
    predictions: Sequence[tuple[Ticket, Prediction]],
    scorer: Scorer,
    version: ContractVersion,
    embeddings: Embeddings | None,
) -> list[Signals]:
    """The signals of each prediction, in order; `embeddings` are those of the texts, None to compute them."""
    if not predictions:
        return []
    predictor = specialist_predictor(scorer.specialist_version_id)
    labels = predictor.predict([ticket.text for ticket, _prediction in predictions], version.terms, embeddings)
    categories = places(version.terms.categories, version.labels.categories)
    sentiments = places(version.terms.sentiments, version.labels.sentiments)
    learning = scorer.language_model.learning if scorer.language_model.is_embedded else None
    return [
        Signals(
            confidence=(prediction.first or prediction).confidence,
            category=_axis_signals(labels.category, row, categories.get(prediction.category_id), learning)._replace(
                **_own_signals(prediction, "category")
            ),
            sentiment=_axis_signals(labels.sentiment, row, sentiments.get(prediction.sentiment_id), learning)._replace(
                **_own_signals(prediction, "sentiment")
            ),
            closeness=float(labels.closeness[row]),
            length=len(ticket.text),
            foreign=labels.foreign[row],
            in_front=prediction.language_model_id != scorer.language_model_id,
        )
        for row, (ticket, prediction) in enumerate(predictions)
    ]


def _scores(
    predictions: Sequence[tuple[Ticket, Prediction]],
    scorer: Scorer,
    version: ContractVersion,
    embeddings: Embeddings | None,
) -> Iterator[Score]:
    weights = scorer.load_weights()
    for (ticket, prediction), signals in zip(
        predictions, _signals(predictions, scorer, version, embeddings), strict=True
    ):
        yield Score(
            prediction=prediction,
            scorer=scorer,
            signals=signals.as_json(),
            digest=text_digest(ticket.text),
            **weights.probabilities(signals, prediction.category_id)._asdict(),
        )
