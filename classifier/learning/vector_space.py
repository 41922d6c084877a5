"""The space in which texts are compared: centred embeddings of length one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Reading = frozenset[str]
"""The names of the encoders that read a text."""


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Raw embeddings of the same texts by encoder name, each of shape (texts, width). A row of zeros means that the
    encoder does not read the text's language.
    """

    by_encoder: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(next(iter(self.by_encoder.values()))) if self.by_encoder else 0

    def part(self, rows: Ints) -> "Embeddings":
        return Embeddings({name: vectors[rows] for name, vectors in self.by_encoder.items()})

    def read_by(self, encoder: str) -> Bools:
        """Which texts this encoder reads."""
        return np.asarray(self.by_encoder[encoder].any(axis=1))

    def readings(self, among: Reading) -> Iterator[tuple[Reading, Ints]]:
        """The rows of the texts that the same of these encoders read."""
        names = [name for name in self.by_encoder if name in among]
        read = np.array([self.read_by(name) for name in names], bool).reshape(len(names), len(self))
        for pattern in np.unique(read, axis=1).T if len(self) else ():
            rows = np.flatnonzero((read == pattern[:, None]).all(axis=0))
            yield frozenset(name for name, reads in zip(names, pattern, strict=True) if reads), rows

    def first_readers(self, among: Reading) -> Iterator[tuple[str, Ints]]:
        """Each of these encoders with the rows that it is the first of them to read."""
        rest = np.ones(len(self), bool)
        for name in self.by_encoder:
            if name in among:
                rows = np.flatnonzero(rest & self.read_by(name))
                rest[rows] = False
                if len(rows):
                    yield name, rows

    def first_reader(self, row: int, among: Reading) -> str:
        """The first of these encoders that reads this text; empty if none does."""
        return next((name for name, vectors in self.by_encoder.items() if name in among and vectors[row].any()), "")

    def closeness(self, row: int, others: range) -> Floats:
        """The cosines of a text and of others, by the first encoder that reads it; 0 for those it does not read."""
        name = self.first_reader(row, frozenset(self.by_encoder))
        if not name:
            return np.zeros(len(others), np.float32)
        vectors = self.by_encoder[name]
        return np.asarray(unit(vectors[others.start : others.stop]) @ unit(vectors[row : row + 1])[0], np.float32)

    def common(self) -> Floats:
        """The vectors in which these texts can be compared with each other."""
        return self.by_encoder[common_encoder(self)] if self.by_encoder else np.zeros((0, 0), np.float32)


def common_encoder(*several: Embeddings) -> str:
    """The first encoder that reads the most of all these texts; empty if they have none in common."""
    names = [name for name in several[0].by_encoder if all(name in embeddings.by_encoder for embeddings in several)]
    return max(names, key=lambda name: sum(int(each.read_by(name).sum()) for each in several), default="")


def unit(vectors: Floats) -> Floats:
    """The vectors scaled to length one; zero rows stay zero. Shape (n, width)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def centred(vectors: Floats, centre: Floats) -> Floats:
    """The vectors without what all texts have in common, at length one."""
    return unit(vectors - centre)


def shrunken_mean(vectors: Floats) -> Floats:
    """The mean, of shape (width,), shrunk towards zero when there are few vectors."""
    if not len(vectors):
        return np.zeros(vectors.shape[1], np.float32)
    trust = len(vectors) / (len(vectors) + FEW)
    return np.asarray(trust * vectors.mean(axis=0), np.float32)


FEW = 100


def coverage_weights(vectors: Floats, coming: Floats) -> Floats:
    """How much incoming traffic each vector represents, one on average: the share of `coming` that lies nearest to it,
    smoothed so that none is zero. Both of shape (n, width), raw; all ones if `coming` is empty.
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
