"""Synthetic texts and vectors with known labels."""

from collections.abc import Sequence

import numpy as np

from classifier.learning.examples import Examples
from classifier.learning.heads import OfferedLabel
from classifier.learning.vector_space import Embeddings, Floats, unit

WIDTH = 384
ENCODER = "an encoder"


def middles(labels: int, seed: int = 0) -> Floats:
    """The centre of each label's texts."""
    return unit(np.random.default_rng(seed).normal(size=(labels, WIDTH)).astype(np.float32))


def offered(labels: int, *, misplaced: float = 1.5, seed: int = 0) -> list[OfferedLabel]:
    """Labels with the keys 1, 2, ..., whose prototypes are this far from the centres of their texts."""
    noise = unit(np.random.default_rng(seed + 1).normal(size=(labels, WIDTH)).astype(np.float32))
    places = unit(middles(labels, seed) + misplaced * noise)
    return [OfferedLabel((number + 1,), {ENCODER: place}) for number, place in enumerate(places)]


def examples(counts: Sequence[int], *, spread: float = 5.0, seed: int = 0, first_key: int = 1) -> Examples:
    """This many texts per label around its centre; some words of a text give its label away."""
    random = np.random.default_rng(seed + 2)
    labels = np.repeat(np.arange(len(counts)), counts)
    random.shuffle(labels)
    noise = unit(random.normal(size=(len(labels), WIDTH)).astype(np.float32))
    points = unit(middles(len(counts), 0)[labels] + spread * noise)
    keys = np.arange(first_key, first_key + len(labels))
    texts = [f"word{label if random.random() < 0.7 else 0} and so on {number}" for number, label in enumerate(labels)]
    random_sample = np.zeros(len(keys), bool)
    weights = np.ones(len(keys), np.float32)
    return Examples(
        keys=keys,
        texts=texts,
        embeddings=Embeddings({ENCODER: points}),
        labels=labels + 1,
        groups=keys,
        random_sample=random_sample,
        weights=weights,
    )


def stacked(*several: Examples) -> Embeddings:
    """The embeddings of all these examples."""
    return Embeddings({ENCODER: np.vstack([examples.embeddings.by_encoder[ENCODER] for examples in several])})
