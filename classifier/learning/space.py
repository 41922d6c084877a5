"""The space that texts are compared in: the encoder's vectors around their common centre, at length one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

WIDTH = 384
"""Of a vector, as the encoder gives it."""


def unit(vectors: Floats) -> Floats:
    """The same directions at length one; rows of zeros stay zeros. Shape (n, WIDTH) in and out."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def centred(vectors: Floats, centre: Floats) -> Floats:
    """Without what all texts have in common, which tells nothing of any label."""
    return unit(vectors - centre)


def centre_of(vectors: Floats) -> Floats:
    """Shape (WIDTH,); of few texts only in part, for their mean is mostly what they are about."""
    if not len(vectors):
        return np.zeros(WIDTH, np.float32)
    trust = len(vectors) / (len(vectors) + FEW)
    return np.asarray(trust * vectors.mean(axis=0), np.float32)


FEW = 100
