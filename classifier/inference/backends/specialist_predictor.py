"""What the specialist predicts for tickets that another model answers, so that their agreement is always known."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from classifier.contract.types import Contract
from classifier.embeddings import encoders
from classifier.embeddings.onnx_encoder import OnnxEncoder
from classifier.embeddings.readable import readable
from classifier.embeddings.sources import EncoderSource
from classifier.learning.heads import BoundHead, OfferedLabel
from classifier.learning.language_detection import is_foreign
from classifier.learning.prototypes import label_texts, prototype
from classifier.learning.starters import with_starters
from classifier.learning.vector_space import Floats
from classifier.learning.weights import SpecialistWeights


class LabelProbabilities(NamedTuple):
    """Probabilities of shape (texts, labels): from all that was learned, and from words only (None if no words were
    learned).
    """

    combined: Floats
    words_only: Floats | None


class SpecialistPredictions(NamedTuple):
    """Predictions of shape (texts,) and more: `closeness` is the cosine to the nearest known text of the categories;
    `foreign` whether the encoder does not know the language.
    """

    category: LabelProbabilities
    sentiment: LabelProbabilities
    closeness: Floats
    foreign: list[bool]


class SpecialistPredictor:
    """A frozen specialist version; its predictions depend only on text and contract."""

    def __init__(self, sources: Sequence[EncoderSource], learned: SpecialistWeights) -> None:
        self._encoder = encoders.load_onnx(sources[0])
        self._learned = learned
        self._bound = lru_cache(maxsize=8)(self._bind)

    def predict(self, texts: Sequence[str], contract: Contract, vectors: Floats | None = None) -> SpecialistPredictions:
        """Predict labels. `vectors` are the texts' embeddings, if known: shape (texts, WIDTH)."""
        category, sentiment = self._bound(contract)
        read = [readable(text) for text in texts]
        if vectors is None:
            vectors = self._encoder.encode(read)
        known = category.centred(vectors) @ category.prototypes.T
        return SpecialistPredictions(
            category=_label_probabilities(category, vectors, texts),
            sentiment=_label_probabilities(sentiment, vectors, texts),
            closeness=np.asarray(known.max(axis=1), np.float32),
            foreign=[is_foreign(text, pieces) for text, pieces in zip(read, self._encoder.pieces(read), strict=True)],
        )

    def _bind(self, contract: Contract) -> tuple[BoundHead, BoundHead]:
        category, sentiment = offered_labels(self._encoder, contract)
        return BoundHead(self._learned.category, category), BoundHead(self._learned.sentiment, sentiment)


def offered_labels(encoder: OnnxEncoder, contract: Contract) -> tuple[list[OfferedLabel], list[OfferedLabel]]:
    """The contract's categories with their prototypes, and its sentiments with their starters too."""
    categories, sentiments = (
        [OfferedLabel(option.keys, prototype(encoder.encode(label_texts(option)))) for option in options]
        for options in (contract.categories, contract.sentiments)
    )
    return categories, with_starters(contract.sentiments, sentiments, encoder.name)


def _label_probabilities(bound: BoundHead, vectors: Floats, texts: Sequence[str]) -> LabelProbabilities:
    words = bound.by_words(texts) if len(bound.head.keys) else None
    return LabelProbabilities(bound.probabilities(vectors, texts), words)
