"""The trained head for categories or sentiments, and its predictions for the current labels.

A label added after the training has only its prototype; a renamed label keeps what was learned; merged labels count
for their successor; labels that are not offered are ignored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from classifier.learning import word_features
from classifier.learning.calibration import IsotonicSteps, softmax
from classifier.learning.linear import SHARPNESS, Correction
from classifier.learning.vector_space import WIDTH, Floats, Ints, centred, unit
from classifier.learning.word_features import WordModel


class Starter(NamedTuple):
    """What is known of a label before it has examples: its scores are `SHARPNESS * vectors @ direction + bias`."""

    direction: Floats
    bias: float


class OfferedLabel(NamedTuple):
    """A current label: the keys it was ever learned under, and its prototype of shape (WIDTH,). A starter takes the
    prototype's place, and examples only correct it.
    """

    keys: tuple[int, ...]
    prototype: Floats
    starter: Starter | None = None


class Bases(NamedTuple):
    """What examples correct: each label's centred prototype, and its starter's direction, zero where it has none. Both
    of shape (labels, WIDTH).
    """

    prototypes: Floats
    starters: Floats

    @classmethod
    def of_labels(cls, labels: Sequence[OfferedLabel], centre: Floats) -> "Bases":
        starters = [label.starter.direction if label.starter else np.zeros_like(centre) for label in labels]
        return cls(centred(np.stack([label.prototype for label in labels]), centre), np.stack(starters))

    def directions(self, sums: Floats) -> Floats:
        """The starters, and for other labels the prototypes shifted by the sums of their examples."""
        started = self.starters.any(axis=1, keepdims=True)
        return np.asarray(np.where(started, self.starters, unit(self.prototypes + sums)), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which parts contribute besides the prototypes shifted by examples."""

    corrected: bool = False
    share_of_words: float = 0.0

    def __str__(self) -> str:
        if self.share_of_words:
            return "linear and words"
        return "linear" if self.corrected else "shifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutRecord:
    """Results on held-out examples: their keys, labels, Brier scores, and whether they were right."""

    examples: Ints
    labels: Ints
    losses: Floats
    right: Ints

    @classmethod
    def empty(cls) -> "HeldOutRecord":
        none = np.zeros(0, np.int64)
        return cls(examples=none, labels=none, losses=np.zeros(0, np.float32), right=none)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`keys` are the trained labels; `sums`, of shape (labels, WIDTH), the sums of their examples; `starters`, of the
    same shape, the directions that they started from, zero where a label had none.
    """

    recipe: Recipe
    centre: Floats
    keys: Ints
    sums: Floats
    starters: Floats
    correction: Correction
    words: WordModel
    temperature: float
    words_temperature: float
    """That of words alone."""
    steps: IsotonicSteps
    record: HeldOutRecord
    seen: Ints

    @classmethod
    def untrained(cls) -> "Head":
        """Prototypes only."""
        none = np.zeros(0, np.int64)
        return cls(
            recipe=Recipe(),
            centre=np.zeros(WIDTH, np.float32),
            keys=none,
            sums=np.zeros((0, WIDTH), np.float32),
            starters=np.zeros((0, WIDTH), np.float32),
            correction=Correction.none(0, WIDTH),
            words=WordModel.none(),
            temperature=1.0,
            words_temperature=1.0,
            steps=IsotonicSteps.none(),
            record=HeldOutRecord.empty(),
            seen=none,
        )


UNTRAINED_LABEL = -1
"""The position of a label that was added after the training."""


class BoundHead:
    """A head bound to the labels offered now, in their order."""

    def __init__(self, head: Head, offered: Sequence[OfferedLabel]) -> None:
        self.head = head
        self._offered = len(offered)
        places = {int(key): place for place, key in enumerate(head.keys)}
        columns: list[tuple[int, int]] = []
        for number, label in enumerate(offered):
            learned = [places[key] for key in label.keys if key in places]
            columns += [(number, place) for place in learned or [UNTRAINED_LABEL]]
        self._owners = np.array([number for number, _place in columns])
        self._places = np.array([place for _number, place in columns])
        known = self._places != UNTRAINED_LABEL
        labels = [offered[owner] for owner in self._owners]
        bases, sums = Bases.of_labels(labels, head.centre), np.zeros((len(labels), WIDTH), np.float32)
        sums[known], bases.starters[known] = head.sums[self._places[known]], head.starters[self._places[known]]
        self.prototypes = bases.directions(sums)
        self.directions = np.asarray(SHARPNESS * self.prototypes, np.float32)
        self._bias = np.array([label.starter.bias if label.starter else 0.0 for label in labels], np.float32)
        self._bias[known] = 0.0
        if head.recipe.corrected:
            self.directions[known] += head.correction.weights[self._places[known]]
            self._bias[known] = head.correction.bias[self._places[known]]

    def centred(self, vectors: Floats) -> Floats:
        return centred(vectors, self.head.centre)

    def probabilities(self, vectors: Floats, texts: Sequence[str]) -> Floats:
        """Probabilities of shape (texts, labels); each row sums to one. `vectors` are raw embeddings."""
        scores = self.centred(vectors) @ self.directions.T + self._bias
        if self.head.recipe.share_of_words:
            scores += self.head.recipe.share_of_words * self._word_scores(texts)
        return self._of_labels(softmax(scores, self.head.temperature))

    def by_words(self, texts: Sequence[str]) -> Floats:
        """The same from words only."""
        return self._of_labels(softmax(self._word_scores(texts), self.head.words_temperature))

    def direction(self, label: int, rival: int) -> Floats:
        """The direction that favours `label` over `rival`: shape (WIDTH,)."""
        towards, away = self.directions[self._owners == label], self.directions[self._owners == rival]
        return np.asarray(towards.mean(axis=0) - away.mean(axis=0), np.float32)

    def pulls(self, text: str, label: int, rival: int) -> Iterator[tuple[str, float]]:
        """The text's known terms, and how strongly each favours `label` over `rival`."""
        words = self.head.words
        places, shares = words.tf_idf_of(text)
        weights = self._word_weights(label)[places] - self._word_weights(rival)[places]
        for place, share, weight in zip(places, shares, weights, strict=True):
            yield words.known[place], float(share * weight)

    def _word_weights(self, label: int) -> Floats:
        known = [
            place
            for owner, place in zip(self._owners, self._places, strict=True)
            if owner == label and place != UNTRAINED_LABEL
        ]
        nothing = np.zeros(len(self.head.words.known), np.float32)
        return np.asarray(self.head.words.weights[known].mean(axis=0), np.float32) if known else nothing

    def _word_scores(self, texts: Sequence[str]) -> Floats:
        term_scores = self.head.words.scores(texts)
        scores = np.full((len(texts), len(self._places)), word_features.UNKNOWN, np.float32)
        known = self._places != UNTRAINED_LABEL
        scores[:, known] = term_scores[:, self._places[known]]
        return scores

    def _of_labels(self, columns: Floats) -> Floats:
        """Sum the columns that belong to the same label."""
        if len(self._owners) == self._offered:
            return columns
        labels = np.zeros((len(columns), self._offered), np.float32)
        for column, owner in enumerate(self._owners):
            labels[:, owner] += columns[:, column]
        return labels
