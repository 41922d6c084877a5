"""What was learned, as bytes: arrays and JSON in the safetensors format, which holds nothing that could be run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as bytes_of

from classifier.learning.calibration import Steps
from classifier.learning.heads import Axis, Recipe, Record
from classifier.learning.linear import Correction
from classifier.learning.vector_space import WIDTH, Floats
from classifier.learning.word_features import Words

Arrays = dict[str, npt.NDArray[Any]]


class CorruptWeights(Exception):
    """These bytes are no version of the specialist; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A version of the specialist: both axes, and from which closeness on (a cosine) a text counts as known."""

    category: Axis
    sentiment: Axis
    known_from: float

    @classmethod
    def nothing(cls) -> Learned:
        return cls(category=Axis.unlearned(), sentiment=Axis.unlearned(), known_from=-1.0)


def dump(learned: Learned) -> bytes:
    """The version as bytes. Weights of words are halved in precision, which changes no third digit."""
    arrays: Arrays = {}
    facts: dict[str, Any] = {"known_from": learned.known_from}
    for name, axis in (("category", learned.category), ("sentiment", learned.sentiment)):
        facts[name] = {
            "corrected": axis.recipe.corrected,
            "share_of_words": axis.recipe.share_of_words,
            "temperature": axis.temperature,
            "words_temperature": axis.words_temperature,
            "terms": list(axis.words.known),
        }
        arrays |= {f"{name}.{part}": array for part, array in _arrays(axis).items()}
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    return bytes_of({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def load(stored: bytes, sha256: str) -> Learned:
    """The version that these bytes are. Raises CorruptWeights where they are not those that the hash was taken of."""
    if hashlib.sha256(stored).hexdigest() != sha256:
        raise CorruptWeights("The weights are not those that were stored; put another version in service.")
    try:
        arrays = arrays_of(stored)
        facts = json.loads(arrays["facts"].tobytes())
        return Learned(
            category=_axis(arrays, facts["category"], "category"),
            sentiment=_axis(arrays, facts["sentiment"], "sentiment"),
            known_from=float(facts["known_from"]),
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CorruptWeights(f"The weights cannot be read: {error}") from error


def _arrays(axis: Axis) -> Arrays:
    return {
        "centre": axis.centre,
        "keys": axis.keys,
        "sums": axis.sums,
        "weights": axis.correction.weights,
        "bias": axis.correction.bias,
        "rarity": axis.words.rarity,
        "word_weights": axis.words.weights.astype(np.float16),
        "word_bias": axis.words.bias,
        "steps_given": axis.steps.given,
        "steps_true": axis.steps.true,
        "record_examples": axis.record.examples,
        "record_labels": axis.record.labels,
        "record_losses": axis.record.losses,
        "record_right": axis.record.right,
        "seen": axis.seen,
    }


def _axis(arrays: Arrays, facts: dict[str, Any], name: str) -> Axis:
    parts = {part: arrays[f"{name}.{part}"] for part in _arrays(Axis.unlearned())}
    labels = len(parts["keys"])
    terms = list(facts["terms"])
    _expect(parts["sums"], (labels, WIDTH))
    _expect(parts["weights"], (labels, WIDTH))
    _expect(parts["bias"], (labels,))
    _expect(parts["word_weights"], (labels, len(terms)))
    _expect(parts["word_bias"], (labels,))
    _expect(parts["rarity"], (len(terms),))
    _expect(parts["centre"], (WIDTH,))
    word_weights: Floats = parts["word_weights"].astype(np.float32)
    return Axis(
        recipe=Recipe(corrected=bool(facts["corrected"]), share_of_words=float(facts["share_of_words"])),
        centre=parts["centre"],
        keys=parts["keys"],
        sums=parts["sums"],
        correction=Correction(parts["weights"], parts["bias"]),
        words=Words(terms, parts["rarity"], word_weights, parts["word_bias"]),
        temperature=float(facts["temperature"]),
        words_temperature=float(facts["words_temperature"]),
        steps=Steps(parts["steps_given"], parts["steps_true"]),
        record=Record(
            examples=parts["record_examples"],
            labels=parts["record_labels"],
            losses=parts["record_losses"],
            right=parts["record_right"],
        ),
        seen=parts["seen"],
    )


def _expect(array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape or not np.isfinite(array.astype(np.float64)).all():
        raise ValueError(f"an array of the shape {array.shape} with finite numbers only should have the shape {shape}")
