"""Finds the similarity below which a text counts as unfamiliar."""

from collections.abc import Sequence

import numpy as np

from classifier.learning.examples import Examples
from classifier.learning.heads import BoundHead, Head, OfferedLabel
from classifier.learning.vector_space import Floats, Ints, centred

FEWEST = 50
"""Examples needed before any text counts as unfamiliar."""
MOST = 2_000
STRANGE_SHARE = 0.01
"""Share of examples that may count as unfamiliar."""


def novelty_thresholds(head: Head, offered: Sequence[OfferedLabel], examples: Examples) -> dict[str, float]:
    """By encoder, the cosine that all but the oddest examples reach with another example or a description; none below
    FEWEST examples.
    """
    bound, thresholds = BoundHead(head, offered), {}
    for name in bound.encoders & examples.embeddings.by_encoder.keys():
        rows = np.flatnonzero(examples.embeddings.read_by(name))
        if len(rows) >= FEWEST:
            centre = bound.families[name].centre
            vectors = centred(examples.embeddings.by_encoder[name][rows], centre)
            described = centred(np.stack([label.prototype[name] for label in offered]), centre)
            thresholds[name] = _threshold(vectors, described, examples.groups[rows])
    return thresholds


def _threshold(vectors: Floats, described: Floats, groups: Ints) -> float:
    latest = vectors[-MOST:]
    closeness: Floats = latest @ vectors.T
    # Near-duplicates would hide how unusual a text is.
    closeness[groups[-MOST:, None] == groups[None, :]] = -1.0
    best = np.maximum(closeness.max(axis=1), (latest @ described.T).max(axis=1))
    return float(np.quantile(best, STRANGE_SHARE))
