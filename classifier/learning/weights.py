"""Serialises a trained specialist as safetensors, a format that cannot contain code."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as bytes_of

from classifier.learning.calibration import IsotonicSteps
from classifier.learning.heads import Head, HeldOutRecord, Recipe
from classifier.learning.linear import Correction
from classifier.learning.vector_space import WIDTH, Floats
from classifier.learning.word_features import WordModel

Arrays = dict[str, npt.NDArray[Any]]


class CorruptWeights(Exception):
    """These bytes are not a specialist version; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialistWeights:
    """A trained specialist: both heads, and the cosine from which a text counts as familiar."""

    category: Head
    sentiment: Head
    novelty_threshold: float

    @classmethod
    def untrained(cls) -> "SpecialistWeights":
        return cls(category=Head.untrained(), sentiment=Head.untrained(), novelty_threshold=-1.0)


def dump(learned: SpecialistWeights) -> bytes:
    """The weights as bytes; word weights are stored in half precision."""
    arrays: Arrays = {}
    facts: dict[str, Any] = {"novelty_threshold": learned.novelty_threshold}
    for name, head in (("category", learned.category), ("sentiment", learned.sentiment)):
        facts[name] = {
            "corrected": head.recipe.corrected,
            "share_of_words": head.recipe.share_of_words,
            "temperature": head.temperature,
            "words_temperature": head.words_temperature,
            "terms": list(head.words.known),
        }
        arrays |= {f"{name}.{part}": array for part, array in _arrays(head).items()}
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    return bytes_of({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def load(stored: bytes, sha256: str) -> SpecialistWeights:
    """The weights in these bytes. Raises CorruptWeights if the hash differs or they can't be read."""
    if hashlib.sha256(stored).hexdigest() != sha256:
        raise CorruptWeights("The weights have changed since they were stored; deploy another version.")
    try:
        arrays = arrays_of(stored)
        facts = json.loads(arrays["facts"].tobytes())
        return SpecialistWeights(
            category=_axis(arrays, facts["category"], "category"),
            sentiment=_axis(arrays, facts["sentiment"], "sentiment"),
            novelty_threshold=float(facts["novelty_threshold"]),
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CorruptWeights(f"The weights cannot be read: {error}") from error


def _arrays(head: Head) -> Arrays:
    return {
        "centre": head.centre,
        "keys": head.keys,
        "sums": head.sums,
        "starters": head.starters,
        "weights": head.correction.weights,
        "bias": head.correction.bias,
        "rarity": head.words.rarity,
        "word_weights": head.words.weights.astype(np.float16),
        "word_bias": head.words.bias,
        "steps_given": head.steps.given,
        "steps_true": head.steps.true,
        "record_examples": head.record.examples,
        "record_labels": head.record.labels,
        "record_losses": head.record.losses,
        "record_right": head.record.right,
        "seen": head.seen,
    }


def _axis(arrays: Arrays, facts: dict[str, Any], name: str) -> Head:
    parts = {part: arrays[f"{name}.{part}"] for part in _arrays(Head.untrained())}
    labels = len(parts["keys"])
    terms = list(facts["terms"])
    _expect_shapes(parts, labels, len(terms))
    word_weights: Floats = parts["word_weights"].astype(np.float32)
    return Head(
        recipe=Recipe(corrected=bool(facts["corrected"]), share_of_words=float(facts["share_of_words"])),
        centre=parts["centre"],
        keys=parts["keys"],
        sums=parts["sums"],
        starters=parts["starters"],
        correction=Correction(parts["weights"], parts["bias"]),
        words=WordModel(terms, parts["rarity"], word_weights, parts["word_bias"]),
        temperature=float(facts["temperature"]),
        words_temperature=float(facts["words_temperature"]),
        steps=IsotonicSteps(parts["steps_given"], parts["steps_true"]),
        record=HeldOutRecord(
            examples=parts["record_examples"],
            labels=parts["record_labels"],
            losses=parts["record_losses"],
            right=parts["record_right"],
        ),
        seen=parts["seen"],
    )


def _expect_shapes(parts: Arrays, labels: int, terms: int) -> None:
    for part in ("sums", "starters", "weights"):
        _expect(parts[part], (labels, WIDTH))
    _expect(parts["bias"], (labels,))
    _expect(parts["word_weights"], (labels, terms))
    _expect(parts["word_bias"], (labels,))
    _expect(parts["rarity"], (terms,))
    _expect(parts["centre"], (WIDTH,))


def _expect(array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape or not np.isfinite(array.astype(np.float64)).all():
        raise ValueError(f"an array of the shape {array.shape} with finite numbers only should have the shape {shape}")
