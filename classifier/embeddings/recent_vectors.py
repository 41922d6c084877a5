"""Caches the vectors of recent texts, since a text is often encoded again right after an answer."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from classifier.learning.vector_space import Floats

MOST = 2_000
"""Texts: 3 to 4 MB an encoder."""


class RecentVectors:
    """Thread-safe."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[str, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def lookup(self, texts: Sequence[str], compute: Callable[[list[str]], Floats]) -> Floats:
        """The vectors of texts, of shape (len(texts), width); those of new ones are computed."""
        with self._lock:
            known = {text: self._vectors[text] for text in texts if text in self._vectors}
        unknown = [text for text in dict.fromkeys(texts) if text not in known]
        vectors = compute(unknown)
        known |= zip(unknown, vectors, strict=True)
        self.store(unknown, vectors)
        return np.stack([known[text] for text in texts]) if texts else vectors

    def store(self, texts: Sequence[str], vectors: Floats) -> None:
        with self._lock:
            self._vectors.update(zip(texts, vectors, strict=True))
            while len(self._vectors) > MOST:
                self._vectors.popitem(last=False)
