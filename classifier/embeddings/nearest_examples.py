"""Finds the labelled examples nearest to a text."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Max

from classifier.embeddings import vector_store
from classifier.learning.vector_space import Embeddings, Floats, Ints, Reading, centred, shrunken_mean
from classifier.models import Example

MOST_EXAMPLES = 50_000
"""Only the latest examples are searched."""
FRESH_SECONDS = 30.0
LEADING = 128
"""Axes of an outline: a third of the dimensions or fewer, with most of the variance of support messages."""
ROUNDING = 1e-5
"""Rounding error of a cosine."""


class NearestExample(NamedTuple):
    """An example's key and its cosine similarity."""

    key: int
    closeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleIndex:
    """Keys and vectors of examples, centred (shape (n, width)) and raw in half precision.

    `axes`, of shape (width, LEADING), are the directions of most variance; `outlines`, of shape (n, LEADING + 1), are
    each vector's coordinates along them and the length of the rest.
    """

    keys: Ints
    vectors: Floats
    centre: Floats
    raw: npt.NDArray[np.float16]
    axes: Floats
    outlines: Floats

    def nearest(self, texts: Floats, most: int) -> list[list[NearestExample]]:
        """The nearest examples of each vector, nearest first. `texts` are raw embeddings.

        By Cauchy-Schwarz, an outline bounds how near an example can be, so only vectors whose bound is high enough are
        read.
        """
        if not len(self.keys):
            return [[] for _text in texts]
        most = min(most, len(self.keys))
        around_centre = centred(texts, self.centre)
        bounds = _outlines(around_centre, self.axes) @ self.outlines.T
        return [self._nearest(text, row, most) for text, row in zip(around_centre, bounds, strict=True)]

    def _nearest(self, text: Floats, bounds: Floats, most: int) -> list[NearestExample]:
        first = np.argpartition(-bounds, most - 1)[:most]
        near_enough = float((self.vectors[first] @ text).min()) - ROUNDING
        places = np.flatnonzero(bounds >= near_enough)
        closeness = self.vectors[places] @ text
        best = np.argsort(-closeness, kind="stable")[:most]
        return [NearestExample(int(self.keys[places[place]]), float(closeness[place])) for place in best]

    def closest(self, texts: Floats, centre: Floats) -> Floats:
        """The cosine to the nearest example for each vector, around another centre: shape (len(texts),)."""
        best = np.zeros(len(texts), np.float32)
        for start in range(0, len(self.raw), 2_000):
            part = centred(self.raw[start : start + 2_000].astype(np.float32), centre)
            best = np.maximum(best, (texts @ part.T).max(axis=1))
        return best


class LabelledExamples:
    """An index for each encoder. A text is compared with all examples that its first encoder reads, and with the others
    by the next one that reads both.
    """

    def __init__(self, keys: Ints, embeddings: Embeddings) -> None:
        self.keys = keys
        self._embeddings = embeddings
        self._indexes: dict[tuple[str, str], ExampleIndex] = {}

    def nearest(self, texts: Embeddings, most: int) -> list[list[NearestExample]]:
        """The nearest examples of each text, nearest first."""
        found: list[list[NearestExample]] = [[] for _text in range(len(texts))]
        for reading, rows in texts.readings(frozenset(self._embeddings.by_encoder)):
            for name, besides in self._steps(reading):
                near = self._index(name, besides).nearest(texts.by_encoder[name][rows], most)
                for row, examples in zip(rows, near, strict=True):
                    found[row] = sorted([*found[row], *examples], key=lambda example: -example.closeness)[:most]
        return found

    def closest(self, encoder: str, texts: Floats, centre: Floats) -> Floats:
        """The cosine to the nearest example for each vector by this encoder, around another centre."""
        return self._index(encoder, "").closest(texts, centre) if self.keys.size else np.zeros(len(texts), np.float32)

    def _steps(self, reading: Reading) -> Iterator[tuple[str, str]]:
        """Encoders that read a text, each with the one before, whose examples it leaves out."""
        before = ""
        for name in self._embeddings.by_encoder:
            if name in reading:
                yield name, before
                before = name

    def _index(self, encoder: str, besides: str) -> ExampleIndex:
        """Built at the first use, since few installations need all."""
        if (encoder, besides) not in self._indexes:
            rows = self._embeddings.read_by(encoder)
            if besides:
                rows = rows & ~self._embeddings.read_by(besides)
            self._indexes[encoder, besides] = build_index(self.keys[rows], self._embeddings.by_encoder[encoder][rows])
        return self._indexes[encoder, besides]


def index() -> LabelledExamples:
    """This process's index; reloaded when examples have changed, which is checked every half minute (one query)."""
    with _loading:
        if time.monotonic() > _cache.until:
            stamp = Example.objects.aggregate(latest=Max("pk"), number=Count("pk"), changed=Max("changed_at"))
            if (
                _cache.index is None
                or stamp != _cache.stamp
                or len(_cache.index.keys) < min(stamp["number"], MOST_EXAMPLES)
            ):
                _cache.index, _cache.stamp = _load(), stamp
            _cache.until = time.monotonic() + FRESH_SECONDS
        assert _cache.index is not None  # noqa: S101 - loaded the first time
        return _cache.index


def invalidate_index() -> None:
    """Check the table again at the next use."""
    _cache.until = 0.0


def examples_by_key(keys: Iterable[int]) -> dict[int, Example]:
    """The examples that still exist, with their labels (one query)."""
    return Example.objects.select_related("category", "sentiment").in_bulk(list(keys))


@dataclass
class _Cache:
    index: LabelledExamples | None = None
    stamp: object = None
    until: float = 0.0


_cache = _Cache()
_loading = Lock()


def _load() -> LabelledExamples:
    rows = list(Example.objects.order_by("-pk").values_list("pk", "digest")[:MOST_EXAMPLES])
    known, embeddings = vector_store.stored_embeddings([digest for _pk, digest in rows])
    return LabelledExamples(np.array([rows[row][0] for row in known], np.int64), embeddings)


def build_index(keys: Ints, raw: Floats) -> ExampleIndex:
    """An index of these raw embeddings."""
    centre = shrunken_mean(raw)
    around = centred(raw, centre)
    _spread, axes = np.linalg.eigh(around.T @ around)
    leading = np.ascontiguousarray(axes[:, -LEADING:])
    return ExampleIndex(
        keys=keys,
        vectors=around,
        centre=centre,
        raw=raw.astype(np.float16),
        axes=leading,
        outlines=_outlines(around, leading),
    )


def _outlines(around: Floats, axes: Floats) -> Floats:
    """The outlines of vectors of length one or zero."""
    along = around @ axes
    squares = np.maximum((around**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    return np.column_stack([along, np.sqrt(squares)])
