"""Finds the similarity below which a text counts as unfamiliar."""

from collections.abc import Sequence

import numpy as np

from classifier.learning.heads import BoundHead, Head, OfferedLabel
from classifier.learning.training import Examples
from classifier.learning.vector_space import Floats

FEWEST = 50
"""Examples needed before any text counts as unfamiliar."""
MOST = 2_000
STRANGE_SHARE = 0.01
"""Share of examples that may count as unfamiliar."""


def novelty_threshold(head: Head, offered: Sequence[OfferedLabel], examples: Examples) -> float:
    """The cosine that all but the oddest examples reach with another example or a description; -1 below FEWEST
    examples.
    """
    if len(examples) < FEWEST:
        return -1.0
    bound = BoundHead(head, offered)
    vectors = bound.centred(examples.vectors)
    described = bound.centred(np.stack([label.prototype for label in offered]))
    latest = vectors[-MOST:]
    groups = examples.groups[-MOST:]
    closeness: Floats = latest @ vectors.T
    # Near-duplicates would hide how unusual a text is.
    closeness[groups[:, None] == examples.groups[None, :]] = -1.0
    best = np.maximum(closeness.max(axis=1), (latest @ described.T).max(axis=1))
    return float(np.quantile(best, STRANGE_SHARE))
