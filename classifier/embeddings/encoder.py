"""The sentence encoder on the CPU: all-MiniLM-L6-v2 as int8 ONNX, from installed packages."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import onnxruntime
from tokenizers import Encoding, Tokenizer

from classifier.embeddings.encoder_files import CorruptEncoder, encoder_digest, encoder_paths

Floats = npt.NDArray[np.float32]

LONGEST_TOKENS = 256
RUN_TOKENS = 256
"""Tokens per run: enough to amortise it, few enough to stay in the CPU cache."""
CACHED_TEXTS = 2_000
"""Recent texts whose vectors are cached, since they are often stored right after an answer: 3 MB."""


class Encoded(NamedTuple):
    """A text's unit vector of shape (384,), its token states of shape (tokens, 384), and the tokens' offsets."""

    vector: Floats
    states: Floats
    offsets: list[tuple[int, int]]


class Encoder:
    """Thread-safe. Each call computes on the calling thread: two threads in one run are slower than one.

    `name`, the hash of the model file, identifies its vectors in the database.
    """

    def __init__(self, model: Path, tokenizer: Path, name: str) -> None:
        self.name = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Memory patterns are cached per input shape, and every batch has a new shape.
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.no_padding()
        # More runs at once than cores only cost memory.
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._recent: OrderedDict[str, Floats] = OrderedDict()
        self._cache_lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of shape (len(texts), 384). Recent texts come from a cache."""
        vectors = np.empty((len(texts), 384), np.float32)
        with self._cache_lock:
            known = {text: self._recent[text] for text in texts if text in self._recent}
        unknown = [text for text in dict.fromkeys(texts) if text not in known]
        known |= {unknown[index]: encoded.vector for index, encoded in self.encode_pieces(unknown)}
        for index, text in enumerate(texts):
            vectors[index] = known[text]
        return vectors

    def _cache(self, texts: Sequence[str], vectors: Floats) -> None:
        with self._cache_lock:
            self._recent.update(zip(texts, vectors, strict=True))
            while len(self._recent) > CACHED_TEXTS:
                self._recent.popitem(last=False)

    def pieces(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Offsets of each text's tokens, without encoding it."""
        return [encoding.offsets for encoding in self._tokenizer.encode_batch(texts)]

    def encode_pieces(self, texts: Sequence[str]) -> Iterator[tuple[int, Encoded]]:
        """Each text's index and encoding, shortest first. Do not keep the states; they are large."""
        encodings = self._tokenizer.encode_batch(texts)
        by_length = sorted(range(len(texts)), key=lambda index: len(encodings[index]))
        while by_length:
            run = _first_run(by_length, encodings)
            del by_length[: len(run)]
            encoded = self._run([encodings[index] for index in run])
            self._cache([texts[index] for index in run], np.stack([piece.vector for piece in encoded]))
            yield from zip(run, encoded, strict=True)

    def _run(self, encodings: list[Encoding]) -> list[Encoded]:
        width = max(len(encoding) for encoding in encodings)
        ids = np.zeros((len(encodings), width), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
            mask[row, : len(encoding)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        with self._cores:
            (states,) = self._session.run(["last_hidden_state"], inputs)
        pooled = (states * mask[:, :, None]).sum(axis=1)
        vectors = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return [
            Encoded(vector, state[: len(encoding)], encoding.offsets)
            for vector, state, encoding in zip(vectors, states, encodings, strict=True)
        ]


def _first_run(by_length: list[int], encodings: list[Encoding]) -> list[int]:
    """The shortest texts that fit into one run when padded; at least one."""
    for count, index in enumerate(by_length):
        if count and (count + 1) * len(encodings[index]) > RUN_TOKENS:
            return by_length[:count]
    return by_length[:]


def load(model_file: str = "", tokenizer_file: str = "") -> Encoder:
    """This process's encoder, from the given files or the packaged ones, which are checked by hash. Raises
    CorruptEncoder.
    """
    with _loading:
        return _load(model_file, tokenizer_file)


# Threads that start together share one: the memory of a second would never be returned.
_loading = threading.Lock()


@lru_cache(maxsize=2)
def _load(model_file: str, tokenizer_file: str) -> Encoder:
    model, tokenizer = encoder_paths(model_file, tokenizer_file)
    try:
        return Encoder(model, tokenizer, encoder_digest(model_file))
    except Exception as error:  # the runtimes raise types of their own
        raise CorruptEncoder(f"The encoder cannot be loaded from {model} and {tokenizer}: {error}") from error
