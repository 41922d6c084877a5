"""The embedded model: classifies by embeddings, and by what the specialist has learned.

Without training, the nearest label prototype wins. With `words`, only the words-only model answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from classifier.contract.types import Answer, Contract, Evidence, IndexedResult, Option, Question, Usage
from classifier.database.batches import chunked
from classifier.embeddings.encoder_set import EncoderSet
from classifier.embeddings.encoders import Encoder
from classifier.embeddings.onnx_encoder import Encoded, OnnxEncoder
from classifier.embeddings.readable import LONGEST_TEXT, readable
from classifier.embeddings.sources import PACKAGED, EncoderSource
from classifier.inference.backends import explanations
from classifier.inference.backends.embedded_attributes import AttributeModel
from classifier.learning.heads import BoundHead
from classifier.learning.language_detection import language_of
from classifier.learning.prototypes import offered_labels
from classifier.learning.starters import with_starters
from classifier.learning.vector_space import Embeddings, Floats, centred
from classifier.learning.weights import SpecialistWeights

if TYPE_CHECKING:
    from classifier.embeddings.nearest_examples import LabelledExamples, NearestExample

WINDOW = 64
"""Texts that are answered together."""

NEAREST = 3
UNFAMILIAR_CONFIDENCE = 0.2
"""Maximum confidence for texts unlike anything known, or in a language that no encoder knows and no label is in."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedVersion:
    """A specialist version: its key, its weights, and the current labelled examples."""

    version: int | None
    learned: SpecialistWeights
    examples: Callable[[], LabelledExamples | None]

    @classmethod
    def nothing(cls) -> LoadedVersion:
        return cls(version=None, learned=SpecialistWeights.untrained(), examples=lambda: None)


class BoundHeads(NamedTuple):
    """The trained heads bound to a contract's labels."""

    category: BoundHead
    sentiment: BoundHead
    described: Mapping[str, Floats]
    """Prototypes of the categories by encoder, centred: shape (labels, width)."""
    attributes: AttributeModel


class ReadTexts(NamedTuple):
    """Texts, their embeddings, and those of their encodings whose token states explain an answer, by row."""

    texts: Sequence[str]
    embeddings: Embeddings
    pieces: Mapping[int, tuple[str, Encoded]]


class EmbeddedClassifier:
    def __init__(
        self,
        sources: Sequence[EncoderSource] = PACKAGED,
        *,
        loaded: LoadedVersion | None = None,
        words: bool = False,
    ) -> None:
        self._encoders = EncoderSet(sources)
        list(self._encoders.loaded())
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
        read = self._read(texts)
        categories = self._explained_labels(heads.category, contract.categories, read)
        sentiments = self._explained_labels(heads.sentiment, contract.sentiments, read)
        near = self._near(read.embeddings)
        unfamiliar = self._unfamiliarities(heads, read, near)
        places = np.array([category.place for category in categories], np.int64)
        attributes = heads.attributes.answers(texts, read.embeddings, places)
        answers = []
        for row, (category, sentiment) in enumerate(zip(categories, sentiments, strict=True)):
            confidence = category.confidence * sentiment.confidence
            words = explanations.spans(texts[row], [*category.words, *sentiment.words])
            answers.append(
                Answer(
                    category=category.name,
                    sentiment=sentiment.name,
                    confidence=min(confidence, UNFAMILIAR_CONFIDENCE) if unfamiliar[row] else confidence,
                    reasoning=explanations.sentence(category, sentiment, unfamiliar[row]),
                    evidence=Evidence(word_spans=words, nearest=tuple(neighbour.key for neighbour in near[row])),
                    version=self._loaded.version,
                    attributes=attributes[row],
                )
            )
        return answers

    def _read(self, texts: Sequence[str]) -> ReadTexts:
        """Encode the texts once, and keep the token states of the few that are answered together."""
        pieces: dict[str, Encoded] = {}

        def compute(encoder: Encoder, plain: Sequence[str]) -> Floats:
            if not isinstance(encoder, OnnxEncoder):
                return encoder.encode(plain)
            pieces.update((plain[index], piece) for index, piece in encoder.encode_pieces(plain))
            return encoder.stack([pieces[text] for text in plain])

        embeddings = self._encoders.encode(texts, compute)
        plain = [readable(text) for text in texts]
        return ReadTexts(
            texts, embeddings, {row: (text, pieces[text]) for row, text in enumerate(plain) if text in pieces}
        )

    def _uses_words_only(self, bound: BoundHead) -> bool:
        """Whether only the words-only model answers for this head."""
        return self._words and len(bound.head.keys) > 0

    def _near(self, embeddings: Embeddings) -> list[list[NearestExample]]:
        examples = self._loaded.examples()
        return examples.nearest(embeddings, NEAREST) if examples else [[] for _text in range(len(embeddings))]

    def _unfamiliarities(
        self, heads: BoundHeads, read: ReadTexts, near: Sequence[Sequence[NearestExample]]
    ) -> list[explanations.Unfamiliar | None]:
        """Why each text's answer can't be trusted. A text is familiar if it is about as close to an example or to a
        description as examples are to each other.
        """
        closest = np.array([row[0].closeness if row else -1.0 for row in near])
        known = np.ones(len(near), bool)
        for name, rows in read.embeddings.first_readers(heads.category.encoders):
            centre = heads.category.families[name].centre
            described = (centred(read.embeddings.by_encoder[name][rows], centre) @ heads.described[name].T).max(axis=1)
            threshold = self._loaded.learned.novelty_thresholds.get(name, -1.0)
            known[rows] = np.maximum(closest[rows], described) >= threshold
        return [
            explanations.Unfamiliar.LANGUAGE
            if not self._encoders.knows(text) and language_of(text) not in heads.category.head.languages
            else (None if is_known else explanations.Unfamiliar.TEXT)
            for text, is_known in zip(read.texts, known, strict=True)
        ]

    def _explained_labels(
        self, bound: BoundHead, options: Sequence[Option], read: ReadTexts
    ) -> list[explanations.ExplainedLabel]:
        by_words = self._uses_words_only(bound)
        probabilities = bound.by_words(read.texts) if by_words else bound.probabilities(read.embeddings, read.texts)
        # The steps were fitted for the combined probabilities only.
        sure = probabilities.max(axis=1) if by_words else bound.confidences(probabilities, read.embeddings, read.texts)
        explained = []
        for row, shares in enumerate(probabilities):
            best, words = int(shares.argmax()), list[str]()
            if len(options) > 1:
                words = self._decisive_words(bound, best, int(np.argsort(shares)[-2]), read, row)
            explained.append(explanations.ExplainedLabel(best, options[best].name, float(sure[row]), words))
        return explained

    def _decisive_words(self, bound: BoundHead, best: int, rival: int, read: ReadTexts, row: int) -> list[str]:
        if self._uses_words_only(bound):
            return explanations.by_terms(bound, read.texts[row], best, rival)
        name = read.embeddings.first_reader(row, bound.encoders)
        if not name:
            return []
        direction = bound.direction(name, best, rival)
        if row in read.pieces:
            return explanations.by_states(*read.pieces[row], direction)
        encoder = next(encoder for source, encoder in self._encoders.loaded() if source.name == name)
        return explanations.by_words(readable(read.texts[row]), encoder, direction)

    def _bind(self, contract: Contract) -> BoundHeads:
        categories, sentiments = (
            offered_labels(options, self._encoders.encode_labels)
            for options in (contract.categories, contract.sentiments)
        )
        category = BoundHead(self._loaded.learned.category, categories)
        described = {
            name: centred(np.stack([label.prototype[name] for label in categories]), family.centre)
            for name, family in category.families.items()
        }
        sentiment = BoundHead(self._loaded.learned.sentiment, with_starters(contract.sentiments, sentiments))
        return BoundHeads(category, sentiment, described, AttributeModel(self._encoders.encode_labels, contract))
