"""The embedded model: classifies by embeddings, and by what the specialist has learned.

Without training, the nearest label prototype wins. With `words`, only the words-only model answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from classifier.contract.types import Answer, Contract, Evidence, IndexedResult, Option, Question, Usage
from classifier.database.batches import chunked
from classifier.embeddings import encoders
from classifier.embeddings.onnx_encoder import Encoded
from classifier.embeddings.readable import LONGEST_TEXT, readable
from classifier.embeddings.sources import PACKAGED, EncoderSource
from classifier.inference.backends import explanations
from classifier.inference.backends.embedded_attributes import AttributeModel
from classifier.inference.backends.specialist_predictor import offered_labels
from classifier.learning.heads import BoundHead
from classifier.learning.language_detection import is_foreign
from classifier.learning.vector_space import Floats
from classifier.learning.weights import SpecialistWeights

if TYPE_CHECKING:
    from classifier.embeddings.nearest_examples import ExampleIndex, NearestExample

WINDOW = 64
"""Texts that are answered together."""

NEAREST = 3
UNFAMILIAR_CONFIDENCE = 0.2
"""Maximum confidence for unfamiliar texts and foreign languages."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedVersion:
    """A specialist version: its key, its weights, and the current labelled examples."""

    version: int | None
    learned: SpecialistWeights
    examples: Callable[[], ExampleIndex | None]

    @classmethod
    def nothing(cls) -> LoadedVersion:
        return cls(version=None, learned=SpecialistWeights.untrained(), examples=lambda: None)


class BoundHeads(NamedTuple):
    """The trained heads bound to a contract's labels, prototypes of the categories of shape (labels, WIDTH), and what
    answers its attributes.
    """

    category: BoundHead
    sentiment: BoundHead
    prototypes: Floats
    attributes: AttributeModel


class EmbeddedClassifier:
    def __init__(
        self,
        sources: Sequence[EncoderSource] = PACKAGED,
        *,
        loaded: LoadedVersion | None = None,
        words: bool = False,
    ) -> None:
        self._encoder = encoders.load_onnx(sources[0])
        self._loaded = loaded or LoadedVersion.nothing()
        self._words = words
        self._heads = lru_cache(maxsize=8)(self._bind)

    def answers(
        self, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        """See `Classifier`. Ignores examples: what they show has been learned."""
        heads = self._heads(contract)
        for window in chunked(enumerate(questions), min(ahead, WINDOW)):
            started = time.perf_counter()
            answers = self._answers([question.text for _place, question in window], contract, heads)
            share = (time.perf_counter() - started) * 1000 / len(window)
            usages = [Usage(requests=1, latency_ms=share, shortened=len(q.text) > LONGEST_TEXT) for _place, q in window]
            yield [
                (place, replace(answer, usage=usage))
                for (place, _question), answer, usage in zip(window, answers, usages, strict=True)
            ]

    def _answers(self, texts: Sequence[str], contract: Contract, heads: BoundHeads) -> list[Answer]:
        read = [readable(text) for text in texts]
        encoded = [piece for _index, piece in sorted(self._encoder.encode_pieces(read), key=itemgetter(0))]
        vectors = np.stack([piece.vector for piece in encoded])
        categories = self._probabilities(heads.category, vectors, texts)
        sentiments = self._probabilities(heads.sentiment, vectors, texts)
        near = self._near(vectors)
        known = self._is_known(heads, vectors, near)
        attributes = heads.attributes.answers(texts, vectors, categories.argmax(axis=1))
        answers = []
        for row, (text, plain, piece) in enumerate(zip(texts, read, encoded, strict=True)):
            category = self._explained_label(heads.category, contract.categories, categories[row], text, plain, piece)
            sentiment = self._explained_label(heads.sentiment, contract.sentiments, sentiments[row], text, plain, piece)
            unfamiliar = _unfamiliarity(plain, piece, known=known[row])
            confidence = category.confidence * sentiment.confidence
            words = explanations.spans(text, [*category.words, *sentiment.words])
            answers.append(
                Answer(
                    category=category.name,
                    sentiment=sentiment.name,
                    confidence=min(confidence, UNFAMILIAR_CONFIDENCE) if unfamiliar else confidence,
                    reasoning=explanations.sentence(category, sentiment, unfamiliar),
                    evidence=Evidence(word_spans=words, nearest=tuple(neighbour.key for neighbour in near[row])),
                    version=self._loaded.version,
                    attributes=attributes[row],
                )
            )
        return answers

    def _probabilities(self, bound: BoundHead, vectors: Floats, texts: Sequence[str]) -> Floats:
        return bound.by_words(texts) if self._uses_words_only(bound) else bound.probabilities(vectors, texts)

    def _uses_words_only(self, bound: BoundHead) -> bool:
        """Whether only the words-only model answers for this head."""
        return self._words and len(bound.head.keys) > 0

    def _near(self, vectors: Floats) -> list[list[NearestExample]]:
        index = self._loaded.examples()
        return index.nearest(vectors, NEAREST) if index else [[] for _vector in vectors]

    def _is_known(self, heads: BoundHeads, vectors: Floats, near: Sequence[Sequence[NearestExample]]) -> list[bool]:
        """Whether each text is about as close to an example or prototype as examples are to each other."""
        closest = np.array([row[0].closeness if row else -1.0 for row in near])
        described = (heads.category.centred(vectors) @ heads.prototypes.T).max(axis=1)
        known = np.maximum(closest, described) >= self._loaded.learned.novelty_threshold
        return [bool(is_known) for is_known in known]

    def _explained_label(
        self, bound: BoundHead, options: Sequence[Option], probabilities: Floats, text: str, plain: str, piece: Encoded
    ) -> explanations.ExplainedLabel:
        best = int(probabilities.argmax())
        by_words = self._uses_words_only(bound)
        # The steps were fitted for the combined probabilities only.
        confidence = float(probabilities[best] if by_words else bound.head.steps(probabilities[best : best + 1])[0])
        words: list[str] = []
        if len(options) > 1:
            rival = int(np.argsort(probabilities)[-2])
            if by_words:
                words = explanations.by_terms(bound, text, best, rival)
            else:
                words = explanations.by_states(plain, piece, bound.direction(best, rival))
        return explanations.ExplainedLabel(options[best].name, confidence, words)

    def _bind(self, contract: Contract) -> BoundHeads:
        categories, sentiments = offered_labels(self._encoder, contract)
        category = BoundHead(self._loaded.learned.category, categories)
        prototypes = category.centred(np.stack([label.prototype for label in categories]))
        sentiment = BoundHead(self._loaded.learned.sentiment, sentiments)
        return BoundHeads(category, sentiment, prototypes, AttributeModel(self._encoder, contract))


def _unfamiliarity(plain: str, piece: Encoded, *, known: bool) -> explanations.Unfamiliar | None:
    if is_foreign(plain, piece.offsets):
        return explanations.Unfamiliar.LANGUAGE
    return None if known else explanations.Unfamiliar.TEXT
