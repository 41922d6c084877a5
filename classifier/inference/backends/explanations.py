"""Why the embedded model says what it says: words that are there, examples that are there, and nothing made up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from classifier.contract.prompt import LONGEST_REASONING
from classifier.embeddings.encoder import Encoded, Floats
from classifier.learning.heads import BoundHead

MOST_WORDS = 2
MOST_SPANS = 8

_WORD = re.compile(r"[^\W_](?:[\w'’-]*\w)?")


class Said(NamedTuple):
    """A label, its probability, and the words that speak for it most."""

    name: str
    confidence: float
    words: list[str]


class Strange(Enum):
    """Why an answer is not to be trusted, however sure it looks."""

    LANGUAGE = "Not in a language that this model reads"
    TEXT = "Unlike anything labelled so far"


def by_states(text: str, piece: Encoded, direction: Floats) -> list[str]:
    """The words that pull hardest in a direction: towards the label and away from its rival.

    The text's vector is the average of its pieces' states, so each piece's projection is its exact share of the result.
    """
    words = [(match.start(), match.group().lower()) for match in _WORD.finditer(text)]
    if not words:
        return []
    shares = piece.states @ direction
    # The pieces without extent are the tokenizer's own marks; every other one belongs to the word begun last.
    real = [index for index, (start, end) in enumerate(piece.offsets) if end > start]
    begun = np.searchsorted(
        [start for start, _word in words], [piece.offsets[index][0] for index in real], side="right"
    )
    pulls = np.bincount(begun, weights=shares[real], minlength=len(words) + 1)[1:]
    return _first((words[index][1], float(pulls[index])) for index in np.argsort(-pulls))


def by_terms(bound: BoundHead, text: str, label: int, rival: int) -> list[str]:
    """The same for the family of words, whose terms have weights of their own."""
    whole = {match.group().lower() for match in _WORD.finditer(text)}
    pulls = ((term, pull) for term, pull in bound.pulls(text, label, rival) if term in whole)
    return _first(sorted(pulls, key=lambda one: -one[1]))


def _first(pulls: Iterable[tuple[str, float]]) -> list[str]:
    telling = [word for word, pull in pulls if pull > 0 and len(word) > 2]
    return list(dict.fromkeys(telling))[:MOST_WORDS]


def spans(text: str, words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where these words begin and end in a text, in its order."""
    wanted = set(words)
    found = ((match.start(), match.end()) for match in _WORD.finditer(text) if match.group().lower() in wanted)
    return tuple(span for span, _number in zip(found, range(MOST_SPANS), strict=False))


def sentence(category: Said, sentiment: Said, strange: Strange | None) -> str:
    """One line of reasoning."""
    said = f"Closest to {category.name}{_by(category.words)}; the tone to {sentiment.name}{_by(sentiment.words)}."
    return (f"{strange.value}. {said}" if strange else said)[:LONGEST_REASONING]


def _by(words: list[str]) -> str:
    return " by " + " and ".join(f"“{word[:40]}”" for word in words) if words else ""
