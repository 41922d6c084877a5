"""Scores of answers: what can be seen of them, and how probable that makes it that they are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from django.conf import settings

from classifier.contract.types import LogProbs
from classifier.embeddings import vector_store
from classifier.learning.vector_space import Floats
from classifier.models import ContractVersion, Prediction, Score, Scorer, SpecialistVersion
from classifier.models.language_models import Learning
from classifier.models.specialist import text_digest
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring.signals import AxisSignals, Signals

if TYPE_CHECKING:
    from classifier.inference.backends.specialist_predictor import LabelProbabilities as Said
    from classifier.inference.backends.specialist_predictor import SpecialistPredictor


class Given(NamedTuple):
    """An answer as it is scored: its labels by name (empty where they are not offered), and what came with them."""

    text: str
    category: str
    sentiment: str
    confidence: float
    logprobs: LogProbs
    in_front: bool


def stored_scores(labelled: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
    """By ticket the scores of its prediction, stored once each; none where there is a failure instead."""
    predictions = [(ticket, said) for ticket, said in labelled if isinstance(said, Prediction)]
    known = Score.objects.filter(scorer=scorer, prediction__in=[said.pk for _ticket, said in predictions])
    scores = {score.prediction_id: score for score in known}
    fresh = [one for one in labelled if isinstance(one.outcome, Prediction) and one.outcome.pk not in scores]
    if fresh:
        # Whoever else scores the same answers comes to the same figures.
        known_vectors = vector_store.embeddings_for([ticket.text for ticket, _said in fresh])
        Score.objects.bulk_create(_scored(fresh, scorer, version, known_vectors), ignore_conflicts=True)
        scores |= {score.prediction_id: score for score in known.all()}
    return {ticket.pk: scores[said.pk] for ticket, said in predictions}


def unstored_scores(labelled: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
    """The same for predictions that are stored nowhere; neither their scores nor vectors are stored."""
    predictions = [one for one in labelled if isinstance(one.outcome, Prediction)]
    scored = _scored(predictions, scorer, version, None)
    return {ticket.pk: score for (ticket, _said), score in zip(predictions, scored, strict=True)}


def signals_for(labelled: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> list[Signals]:
    """The signals of predictions as this scorer sees them, in order; only vectors of the tickets are stored."""
    return _signals(labelled, scorer, version, vector_store.embeddings_for([ticket.text for ticket, _said in labelled]))


def _axis_signals(
    said: Said, row: int, names: Sequence[str], label: str, logprob: float | None, learning: str | None
) -> AxisSignals:
    """`learning` is that of the model that answered, where it is an embedded one."""
    if label not in names:
        return AxisSignals(logprob=logprob)
    place, shares = names.index(label), said.combined[row]
    rivals = np.delete(shares, place)
    by_words = None if said.words_only is None else int(said.words_only[row].argmax()) == place
    own_words, own = learning == Learning.WORDS, learning is not None and learning != Learning.WORDS
    return AxisSignals(
        agrees=None if own else int(shares.argmax()) == place,
        words_agree=None if own_words else by_words,
        probability=None if own else float(shares[place]),
        margin=float(shares[place] - rivals.max()) if len(rivals) else None,
        logprob=logprob,
    )


@lru_cache(maxsize=3)
def specialist_predictor(version_pk: int | None) -> SpecialistPredictor:
    """The witness that this version of the specialist is, or one that knows the labels by their descriptions alone."""
    from classifier.inference.backends.specialist_predictor import SpecialistPredictor
    from classifier.learning.weights import SpecialistWeights

    if version_pk is None:
        learned = SpecialistWeights.untrained()
    else:
        learned = SpecialistVersion.objects.get(pk=version_pk).load_weights_or_untrained()
    return SpecialistPredictor(settings.ENCODER_FILE, settings.TOKENIZER_FILE, learned)


def _given(text: str, said: Prediction, scorer: Scorer, version: ContractVersion) -> Given:
    categories = {pk: name for name, pk in version.labels.categories.items()}
    sentiments = {pk: name for name, pk in version.labels.sentiments.items()}
    return Given(
        text,
        categories.get(said.category_id, ""),
        sentiments.get(said.sentiment_id, ""),
        said.confidence,
        LogProbs(category=said.category_logprob, sentiment=said.sentiment_logprob),
        said.language_model_id != scorer.language_model_id,
    )


def _signals(
    labelled: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion, known: Floats | None
) -> list[Signals]:
    """The signals of each prediction; of one by a model of the witness's own family its agreement says nothing."""
    given = [_given(ticket.text, said, scorer, version) for ticket, said in labelled if isinstance(said, Prediction)]
    if not given:
        return []
    testimony = specialist_predictor(scorer.specialist_version_id).predict(
        [one.text for one in given], version.terms, known
    )
    categories = [option.name for option in version.terms.categories]
    sentiments = [option.name for option in version.terms.sentiments]
    learning = scorer.language_model.learning if scorer.language_model.is_embedded else None
    return [
        Signals(
            confidence=one.confidence,
            category=_axis_signals(testimony.category, row, categories, one.category, one.logprobs.category, learning),
            sentiment=_axis_signals(
                testimony.sentiment, row, sentiments, one.sentiment, one.logprobs.sentiment, learning
            ),
            closeness=float(testimony.closeness[row]),
            length=len(one.text),
            foreign=testimony.foreign[row],
            in_front=one.in_front,
        )
        for row, one in enumerate(given)
    ]


def _scored(
    predictions: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion, known: Floats | None
) -> Iterator[Score]:
    """In order; `known` are the vectors of their texts, where those are known already."""
    weights = scorer.load_weights()
    for (ticket, said), signals in zip(predictions, _signals(predictions, scorer, version, known), strict=True):
        assert isinstance(said, Prediction)  # noqa: S101 - whoever calls has left out failures
        yield Score(
            prediction=said,
            scorer=scorer,
            signals=signals.as_json(),
            digest=text_digest(ticket.text),
            **weights.probabilities(signals, said.category_id)._asdict(),
        )
