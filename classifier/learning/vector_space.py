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


def shrunken_mean(vectors: Floats) -> Floats:
    """Shape (WIDTH,); of few texts only in part, for their mean is mostly what they are about."""
    if not len(vectors):
        return np.zeros(WIDTH, np.float32)
    trust = len(vectors) / (len(vectors) + FEW)
    return np.asarray(trust * vectors.mean(axis=0), np.float32)


FEW = 100


def coverage_weights(vectors: Floats, coming: Floats) -> Floats:
    """How much of what comes each of these stands for, one on average: by how much of that lies nearest to it, and half
    a share more, so that none counts for nothing. Both of shape (n, WIDTH), as the encoder gives them; where nothing
    is known of what comes, all count alike.
    """
    if not len(vectors) or not len(coming):
        return np.ones(len(vectors), np.float32)
    centre = shrunken_mean(coming)
    places, counts = centred(vectors, centre), np.zeros(len(vectors))
    for start in range(0, len(coming), AT_ONCE):
        nearest = (centred(coming[start : start + AT_ONCE], centre) @ places.T).argmax(axis=1)
        counts += np.bincount(nearest, minlength=len(vectors))
    return np.asarray((counts / counts.mean() + 0.5) / 1.5, np.float32)


AT_ONCE = 200
