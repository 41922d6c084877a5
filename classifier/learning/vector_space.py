"""The space in which texts are compared: centred embeddings of length one."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

WIDTH = 384
"""Dimensions of an embedding."""


def unit(vectors: Floats) -> Floats:
    """The vectors scaled to length one; zero rows stay zero. Shape (n, WIDTH)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def centred(vectors: Floats, centre: Floats) -> Floats:
    """The vectors without what all texts have in common, at length one."""
    return unit(vectors - centre)


def shrunken_mean(vectors: Floats) -> Floats:
    """The mean, of shape (WIDTH,), shrunk towards zero when there are few vectors."""
    if not len(vectors):
        return np.zeros(WIDTH, np.float32)
    trust = len(vectors) / (len(vectors) + FEW)
    return np.asarray(trust * vectors.mean(axis=0), np.float32)


FEW = 100


def coverage_weights(vectors: Floats, coming: Floats) -> Floats:
    """How much incoming traffic each vector represents, one on average: the share of `coming` that lies nearest to it,
    smoothed so that none is zero. Both of shape (n, WIDTH), raw; all ones if `coming` is empty.
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
