"""Serialises a trained specialist as safetensors, a format that cannot contain code."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as bytes_of

from classifier.learning.calibration import IsotonicSteps
from classifier.learning.heads import Family, Head, HeldOutRecord, Mix
from classifier.learning.languages import LanguageRecord
from classifier.learning.linear import Correction
from classifier.learning.vector_space import Floats
from classifier.learning.word_features import WordModel

Arrays = dict[str, npt.NDArray[Any]]


class CorruptWeights(Exception):
    """These bytes are not a specialist version; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialistWeights:
    """A trained specialist: both heads, and by encoder the cosine from which a text counts as familiar."""

    category: Head
    sentiment: Head
    novelty_thresholds: Mapping[str, float]

    @classmethod
    def untrained(cls) -> "SpecialistWeights":
        return cls(category=Head.untrained(), sentiment=Head.untrained(), novelty_thresholds={})

    @property
    def encoders(self) -> frozenset[str]:
        """Names of the encoders in whose spaces something was learned."""
        return frozenset(self.category.families) | frozenset(self.sentiment.families)


def dump(learned: SpecialistWeights) -> bytes:
    """The weights as bytes; word weights are stored in half precision."""
    arrays: Arrays = {}
    facts: dict[str, Any] = {"novelty_thresholds": dict(learned.novelty_thresholds)}
    for name, head in (("category", learned.category), ("sentiment", learned.sentiment)):
        facts[name] = {
            "families": list(head.families),
            "mixes": [[sorted(reading), mix._asdict()] for reading, mix in head.mixes.items()],
            "languages": head.languages,
            "words_temperature": head.words_temperature,
            "terms": list(head.words.known),
        }
        arrays |= {f"{name}.{part}": array for part, array in _arrays(head).items()}
        for number, family in enumerate(head.families.values()):
            arrays |= {f"{name}.{number}.{part}": array for part, array in _family_arrays(family).items()}
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
            category=_head(arrays, facts["category"], "category"),
            sentiment=_head(arrays, facts["sentiment"], "sentiment"),
            novelty_thresholds={name: float(cosine) for name, cosine in facts["novelty_thresholds"].items()},
        )
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptWeights(f"The weights cannot be read: {error}") from error


def _arrays(head: Head) -> Arrays:
    return {
        "keys": head.keys,
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


def _family_arrays(family: Family) -> Arrays:
    return {
        "centre": family.centre,
        "sums": family.sums,
        "starters": family.starters,
        "weights": family.correction.weights,
        "bias": family.correction.bias,
    }


def _head(arrays: Arrays, facts: dict[str, Any], name: str) -> Head:
    parts = {part: arrays[f"{name}.{part}"] for part in _arrays(Head.untrained())}
    labels, terms = len(parts["keys"]), list(facts["terms"])
    _expect(parts["word_weights"], (labels, len(terms)))
    _expect(parts["word_bias"], (labels,))
    _expect(parts["rarity"], (len(terms),))
    word_weights: Floats = parts["word_weights"].astype(np.float32)
    return Head(
        keys=parts["keys"],
        families={
            encoder: _family(arrays, f"{name}.{number}", labels) for number, encoder in enumerate(facts["families"])
        },
        mixes={frozenset(reading): _mix(**mix) for reading, mix in facts["mixes"]},
        words=WordModel(terms, parts["rarity"], word_weights, parts["word_bias"]),
        words_temperature=float(facts["words_temperature"]),
        languages={code: LanguageRecord(*record) for code, record in facts["languages"].items()},
        steps=IsotonicSteps(parts["steps_given"], parts["steps_true"]),
        record=HeldOutRecord(
            examples=parts["record_examples"],
            labels=parts["record_labels"],
            losses=parts["record_losses"],
            right=parts["record_right"],
        ),
        seen=parts["seen"],
    )


def _family(arrays: Arrays, name: str, labels: int) -> Family:
    parts = {part: arrays[f"{name}.{part}"] for part in ("centre", "sums", "starters", "weights", "bias")}
    width = len(parts["centre"])
    for part in ("sums", "starters", "weights"):
        _expect(parts[part], (labels, width))
    _expect(parts["centre"], (width,))
    _expect(parts["bias"], (labels,))
    return Family(parts["centre"], parts["sums"], parts["starters"], Correction(parts["weights"], parts["bias"]))


def _mix(weights: dict[str, float], share_of_words: float, temperature: float) -> Mix:
    return Mix({name: float(weight) for name, weight in weights.items()}, float(share_of_words), float(temperature))


def _expect(array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape or not np.isfinite(array.astype(np.float64)).all():
        raise ValueError(f"an array of the shape {array.shape} with finite numbers only should have the shape {shape}")
