"""The trained head for categories or sentiments, and its predictions for the current labels.

A head is an ensemble: one family of weights in each encoder's space, and one on words, averaged in log-probability
(Hinton 2002, "Training products of experts"). A text that only some of the encoders read is answered by their families.

A label added after the training has only its prototype; a renamed label keeps what was learned; merged labels count
for their successor; labels that are not offered are ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from classifier.learning import word_features
from classifier.learning.calibration import IsotonicSteps, softmax
from classifier.learning.language_detection import language_of
from classifier.learning.languages import LanguageRecord, ceilings, temperatures
from classifier.learning.linear import SHARPNESS, Correction
from classifier.learning.vector_space import Embeddings, Floats, Ints, Reading, centred, unit
from classifier.learning.word_features import WordModel


class Starter(NamedTuple):
    """What is known of a label before it has examples: its scores are `SHARPNESS * vectors @ direction + bias`."""

    direction: Floats
    bias: float


class OfferedLabel(NamedTuple):
    """A current label: the keys it was ever learned under, and by encoder its prototype of shape (width,). A starter
    takes a prototype's place, and examples only correct it.
    """

    keys: tuple[int, ...]
    prototype: Mapping[str, Floats]
    starters: Mapping[str, Starter] = {}


class Bases(NamedTuple):
    """What examples correct in an encoder's space: each label's centred prototype, its starter's direction, and that
    one's bias; zero where a label has none. Of shape (labels, width) and (labels,).
    """

    prototypes: Floats
    starters: Floats
    biases: Floats

    @classmethod
    def of_labels(cls, labels: Sequence[OfferedLabel], encoder: str, centre: Floats) -> "Bases":
        none = Starter(np.zeros_like(centre), 0.0)
        starters = [label.starters.get(encoder, none) for label in labels]
        return cls(
            centred(np.stack([label.prototype[encoder] for label in labels]), centre),
            np.stack([starter.direction for starter in starters]),
            np.array([starter.bias for starter in starters], np.float32),
        )

    def directions(self, sums: Floats) -> Floats:
        """The starters, and for other labels the prototypes shifted by the sums of their examples."""
        started = self.starters.any(axis=1, keepdims=True)
        return np.asarray(np.where(started, self.starters, unit(self.prototypes + sums)), np.float32)


class Family(NamedTuple):
    """What was learned in one encoder's space: the texts' centre; of shape (labels, width) the sums of each label's
    examples and the directions that they started from, zero where a label had none; and a correction.
    """

    centre: Floats
    sums: Floats
    starters: Floats
    correction: Correction


class Mix(NamedTuple):
    """How families are averaged for texts that the same encoders read: the weight of each encoder's and of the words'
    scores, and the temperature of the sum.
    """

    weights: Mapping[str, float]
    share_of_words: float = 0.0
    temperature: float = 1.0


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
    """`keys` are the trained labels; `mixes` hold every set of encoders that may read a text."""

    keys: Ints
    families: Mapping[str, Family]
    mixes: Mapping[Reading, Mix]
    words: WordModel
    words_temperature: float
    """That of words alone."""
    languages: Mapping[str, LanguageRecord]
    steps: IsotonicSteps
    """For texts that all encoders read."""
    record: HeldOutRecord
    seen: Ints

    @classmethod
    def untrained(cls) -> "Head":
        """Prototypes only."""
        none = np.zeros(0, np.int64)
        return cls(
            keys=none,
            families={},
            mixes={},
            words=WordModel.none(),
            words_temperature=1.0,
            languages={},
            steps=IsotonicSteps.none(),
            record=HeldOutRecord.empty(),
            seen=none,
        )

    @property
    def recipe(self) -> str:
        """Which parts contribute besides the prototypes shifted by examples."""
        if any(mix.share_of_words for mix in self.mixes.values()):
            return "linear and words"
        corrected = any(family.correction.weights.any() for family in self.families.values())
        return "linear" if corrected else "shifted"


MULTILINGUAL_SHARE = 0.5
"""Without labels, the last encoder's weight beside another one's, which knows fewer languages better. Starters, which
were trained on both, weigh the same."""


def untrained_mix(encoders: Sequence[str], last_share: float) -> Mix:
    """The average of scores by these encoders, the one that knows the most languages last."""
    shares = [1.0] * (len(encoders) - 1) + [last_share if len(encoders) > 1 else 1.0]
    return Mix({name: share / sum(shares) for name, share in zip(encoders, shares, strict=True)})


UNTRAINED_LABEL = -1
"""The position of a label that was added after the training."""


class BoundFamily(NamedTuple):
    """A family bound to the labels offered now: prototypes and scoring directions of shape (columns, width)."""

    centre: Floats
    prototypes: Floats
    directions: Floats
    bias: Floats

    def scores(self, vectors: Floats) -> Floats:
        return np.asarray(centred(vectors, self.centre) @ self.directions.T + self.bias, np.float32)


class BoundHead:
    """A head bound to the labels offered now, in their order."""

    def __init__(self, head: Head, offered: Sequence[OfferedLabel]) -> None:
        self.head = head
        self._offered = len(offered)
        self._started = all(label.starters for label in offered)
        places = {int(key): place for place, key in enumerate(head.keys)}
        columns: list[tuple[int, int]] = []
        for number, label in enumerate(offered):
            learned = [places[key] for key in label.keys if key in places]
            columns += [(number, place) for place in learned or [UNTRAINED_LABEL]]
        self._owners = np.array([number for number, _place in columns])
        self._places = np.array([place for _number, place in columns])
        encoders = [name for name in offered[0].prototype if name in head.families] or list(offered[0].prototype)
        self.encoders = frozenset(encoders)
        self._in_order = encoders
        self.families = {name: self._bind(name, [offered[owner] for owner in self._owners]) for name in encoders}

    def _bind(self, encoder: str, labels: Sequence[OfferedLabel]) -> BoundFamily:
        family, known = self.head.families.get(encoder), self._places != UNTRAINED_LABEL
        centre = family.centre if family else np.zeros_like(labels[0].prototype[encoder])
        bases, sums = Bases.of_labels(labels, encoder, centre), np.zeros((len(labels), len(centre)), np.float32)
        if family:
            places = self._places[known]
            sums[known], bases.starters[known], bases.biases[known] = family.sums[places], family.starters[places], 0.0
        prototypes = bases.directions(sums)
        directions, bias = np.asarray(SHARPNESS * prototypes, np.float32), bases.biases
        if family:
            directions[known] += family.correction.weights[places]
            bias[known] += family.correction.bias[places]
        return BoundFamily(centre, prototypes, directions, bias)

    def mix(self, reading: Reading) -> Mix:
        """How the families of these encoders are averaged."""
        known = self.head.mixes.get(reading)
        encoders = [name for name in self._in_order if name in reading] or self._in_order
        return known or untrained_mix(encoders, 1.0 if self._started else MULTILINGUAL_SHARE)

    def probabilities(self, embeddings: Embeddings, texts: Sequence[str]) -> Floats:
        """Probabilities of shape (texts, labels); each row sums to one."""
        scores = np.zeros((len(texts), len(self._owners)), np.float32)
        for reading, rows in embeddings.readings(self.encoders):
            mix, part = self.mix(reading), embeddings.part(rows)
            total = sum(
                weight * self.families[name].scores(part.by_encoder[name]) for name, weight in mix.weights.items()
            )
            if mix.share_of_words:
                total = total + mix.share_of_words * self._word_scores([texts[row] for row in rows])
            scores[rows] = total / mix.temperature
        if self.head.languages:
            scores /= temperatures([language_of(text) for text in texts], self.head.languages)
        return self._of_labels(softmax(scores, 1.0))

    def confidences(self, probabilities: Floats, embeddings: Embeddings, texts: Sequence[str]) -> Floats:
        """How often the most probable label of each text is right: shape (texts,). Never above what the labels of the
        text's language support.
        """
        best = probabilities.max(axis=1)
        for reading, rows in embeddings.readings(self.encoders):
            if reading == self.encoders:
                best[rows] = self.head.steps(best[rows])
        limits = ceilings([language_of(text) for text in texts], self.head.languages)
        return np.asarray(np.minimum(best, limits), np.float32)

    def by_words(self, texts: Sequence[str]) -> Floats:
        """Probabilities from words only: shape (texts, labels)."""
        return self._of_labels(softmax(self._word_scores(texts), self.head.words_temperature))

    def direction(self, encoder: str, label: int, rival: int) -> Floats:
        """The direction in an encoder's space that favours `label` over `rival`: shape (width,)."""
        directions = self.families[encoder].directions
        towards, away = directions[self._owners == label], directions[self._owners == rival]
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
