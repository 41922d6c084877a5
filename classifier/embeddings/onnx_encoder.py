"""A sentence encoder as ONNX on the CPU: all-MiniLM-L6-v2 from installed packages, or a file of one's own."""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import onnxruntime
from tokenizers import Encoding, Tokenizer

from classifier.embeddings.recent_vectors import RecentVectors
from classifier.learning.vector_space import Floats, unit

LONGEST_TOKENS = 256
RUN_TOKENS = 256
"""Tokens per run: enough to amortise it, few enough to stay in the CPU cache."""


class Encoded(NamedTuple):
    """A text's unit vector of shape (width,), its token states of shape (tokens, width), and the tokens' offsets."""

    vector: Floats
    states: Floats
    offsets: list[tuple[int, int]]


class OnnxEncoder:
    """Thread-safe. Each call computes on the calling thread: two threads in one run are slower than one.

    The model's first output are the tokens' states, of shape (texts, tokens, width).
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
        self._recent = RecentVectors()
        # More runs at once than cores only cost memory.
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._states, *_others = (node.name for node in self._session.get_outputs())
        self._width = len(next(self.encode_pieces([""]))[1].vector)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of shape (len(texts), width). Recent texts come from a cache."""
        return self._recent.lookup(texts, self._compute)

    def _compute(self, texts: Sequence[str]) -> Floats:
        encoded = dict(self.encode_pieces(texts))
        return self.stack([encoded[index] for index in range(len(texts))])

    def stack(self, encoded: Sequence[Encoded]) -> Floats:
        """The vectors of encoded texts: shape (len(encoded), width)."""
        return np.array([piece.vector for piece in encoded], np.float32).reshape(len(encoded), self._width)

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
            self._recent.store([texts[index] for index in run], np.stack([piece.vector for piece in encoded]))
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
            (states,) = self._session.run(
                [self._states], {name: array for name, array in inputs.items() if name in self._inputs}
            )
        pooled = (states * mask[:, :, None]).sum(axis=1)
        vectors = unit(pooled)
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
