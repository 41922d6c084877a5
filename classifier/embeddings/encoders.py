"""Loads the encoders, each once per process."""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from classifier.embeddings.sources import CorruptEncoder, EncoderSource, Runtime, encoder_files
from classifier.learning.vector_space import Floats

if TYPE_CHECKING:
    from classifier.embeddings.onnx_encoder import OnnxEncoder


class Encoder(Protocol):
    """Turns texts into vectors. `name` identifies them in the database."""

    name: str

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of shape (len(texts), the encoder's width)."""


def load(source: EncoderSource) -> Encoder:
    """This process's encoder. Raises CorruptEncoder."""
    with _loading:
        return _load(source)


def load_onnx(source: EncoderSource) -> "OnnxEncoder":
    """The same for one whose token states are needed. Raises CorruptEncoder."""
    return load(source)  # type: ignore[return-value]  # as its runtime says


# Threads that start together share one: the memory of a second would never be returned.
_loading = threading.Lock()


@lru_cache(maxsize=4)
def _load(source: EncoderSource) -> Encoder:
    model, tokenizer = encoder_files(source)
    try:
        if source.runtime == Runtime.USE:
            from classifier.embeddings.use_encoder import UseEncoder

            return UseEncoder(model, tokenizer, source.name)
        from classifier.embeddings.onnx_encoder import OnnxEncoder

        return OnnxEncoder(model, tokenizer, source.name)
    except Exception as error:  # the runtimes raise types of their own
        raise CorruptEncoder(f"The encoder cannot be loaded from {model} and {tokenizer}: {error}") from error
