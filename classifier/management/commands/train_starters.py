"""Trains the starters of the sentiments, which every installation has before its own labels."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from django.core.management.base import BaseCommand
from safetensors.numpy import save

from classifier.embeddings import encoders
from classifier.embeddings.readable import readable
from classifier.embeddings.sources import PACKAGED, EncoderSource
from classifier.learning import linear
from classifier.learning.linear import SHARPNESS, Correction
from classifier.learning.starters import FILE, SENTIMENTS
from classifier.learning.training import folds
from classifier.learning.vector_space import Floats, Ints

TEXTS = FILE.with_name("sentiment_texts.jsonl")
FREQUENCY = np.array([2, 3, 5])
"""How often the sentiments occur in support, whatever they do among the texts."""
PRIOR = 2.0
SAME = 0.7
"""The cosine from which two texts are held out together: translations and near-duplicates."""


class Texts(NamedTuple):
    """The texts that an encoder was trained for, with their languages, vectors, sentiments and groups."""

    languages: list[str]
    vectors: Floats
    sentiments: Ints
    groups: Ints


class Command(BaseCommand):
    help = "Train the sentiments' starters from the texts in classifier/data and show their accuracy by language."

    def handle(self, *args: Any, **options: Any) -> None:
        stored = TEXTS.read_bytes()
        rows = [json.loads(line) for line in stored.decode().splitlines()]
        arrays = {}
        for source in PACKAGED:
            texts = _texts(source, rows)
            for language, right, count in _cross_validate(texts):
                self.stdout.write(f"{source.title}, {language}: {right} of {count} right ({right / count:.1%})")
            trained = _fit(texts.vectors, texts.sentiments)
            arrays[f"{source.name}.directions"] = trained.weights / np.float32(SHARPNESS)
            arrays[f"{source.name}.biases"] = trained.bias
        FILE.write_bytes(save(arrays, metadata={"texts": hashlib.sha256(stored).hexdigest()}))


def _texts(source: EncoderSource, rows: list[dict[str, str]]) -> Texts:
    known = [row for row in rows if source.knows(row["language"])]
    vectors = encoders.load(source).encode([readable(row["text"]) for row in known])
    return Texts(
        languages=[row["language"] for row in known],
        vectors=vectors,
        sentiments=np.array([SENTIMENTS.index(row["sentiment"]) for row in known], np.int64),
        groups=_groups(vectors),
    )


def _groups(vectors: Floats) -> Ints:
    """For each text, the first that it is the same as, perhaps by way of others."""
    groups = np.arange(len(vectors))
    for row, neighbour in np.argwhere(np.triu(vectors @ vectors.T > SAME, k=1)):
        groups[groups == groups[neighbour]] = groups[row]
    return groups


def _cross_validate(texts: Texts) -> Iterator[tuple[str, int, int]]:
    """Each language, how many of its texts were right when held out, and how many there are; all of them last."""
    right: Counter[str] = Counter()
    for inside, outside in folds(texts.groups, thorough=True):
        trained = _fit(texts.vectors[inside], texts.sentiments[inside])
        scores = texts.vectors[outside] @ trained.weights.T + trained.bias
        best = (scores - np.log(FREQUENCY)).argmax(axis=1)  # among the texts, all are equally frequent
        for place, sentiment in zip(outside, best, strict=True):
            right.update({texts.languages[place]: int(sentiment == texts.sentiments[place])})
    counts = Counter(texts.languages)
    yield from ((language, right[language], count) for language, count in counts.items())
    yield "all", right.total(), counts.total()


def _fit(vectors: Floats, sentiments: Ints) -> Correction:
    rows = np.repeat(np.arange(len(sentiments)), FREQUENCY[sentiments])
    nothing = np.zeros((len(SENTIMENTS), vectors.shape[1]), np.float32)
    return linear.fit(vectors[rows], sentiments[rows], nothing, PRIOR)
