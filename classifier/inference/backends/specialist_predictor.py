"""What the specialist predicts for tickets that another model answers, so that their agreement is always known."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from classifier.contract.types import Contract
from classifier.embeddings.encoder_set import EncoderSet
from classifier.embeddings.sources import EncoderSource
from classifier.learning.heads import BoundHead
from classifier.learning.prototypes import offered_labels
from classifier.learning.starters import with_starters
from classifier.learning.vector_space import Embeddings, Floats, centred
from classifier.learning.weights import SpecialistWeights


class LabelProbabilities(NamedTuple):
    """Probabilities of shape (texts, labels): from all that was learned, and from words only (None if no words were
    learned).
    """

    combined: Floats
    words_only: Floats | None


class SpecialistPredictions(NamedTuple):
    """Predictions of shape (texts,) and more: `closeness` is the cosine to the nearest known text of the categories;
    `foreign` whether no encoder knows the language.
    """

    category: LabelProbabilities
    sentiment: LabelProbabilities
    closeness: Floats
    foreign: list[bool]


class SpecialistPredictor:
    """A frozen specialist version; its predictions depend only on text and contract."""

    def __init__(self, sources: Sequence[EncoderSource], learned: SpecialistWeights) -> None:
        self._encoders = EncoderSet(sources)
        self._learned = learned
        self._bound = lru_cache(maxsize=8)(self._bind)

    def predict(
        self, texts: Sequence[str], contract: Contract, embeddings: Embeddings | None = None
    ) -> SpecialistPredictions:
        """Predict labels. `embeddings` are those of the texts, if known."""
        category, sentiment = self._bound(contract)
        if embeddings is None or not category.encoders | sentiment.encoders <= embeddings.by_encoder.keys():
            embeddings = self._encoders.encode(texts)
        return SpecialistPredictions(
            category=_label_probabilities(category, embeddings, texts),
            sentiment=_label_probabilities(sentiment, embeddings, texts),
            closeness=closeness(category, embeddings),
            foreign=[not self._encoders.knows(text) for text in texts],
        )

    def _bind(self, contract: Contract) -> tuple[BoundHead, BoundHead]:
        category, sentiment = (
            offered_labels(options, self._encoders.encode_labels)
            for options in (contract.categories, contract.sentiments)
        )
        sentiment = with_starters(contract.sentiments, sentiment)
        return BoundHead(self._learned.category, category), BoundHead(self._learned.sentiment, sentiment)


def closeness(bound: BoundHead, embeddings: Embeddings) -> Floats:
    """The cosine of each text to the nearest prototype, by the first encoder that reads it: shape (texts,)."""
    cosines = np.zeros(len(embeddings), np.float32)
    for name, rows in embeddings.first_readers(bound.encoders):
        family = bound.families[name]
        near = centred(embeddings.by_encoder[name][rows], family.centre) @ family.prototypes.T
        cosines[rows] = near.max(axis=1)
    return cosines


def _label_probabilities(bound: BoundHead, embeddings: Embeddings, texts: Sequence[str]) -> LabelProbabilities:
    words = bound.by_words(texts) if len(bound.head.keys) else None
    return LabelProbabilities(bound.probabilities(embeddings, texts), words)
