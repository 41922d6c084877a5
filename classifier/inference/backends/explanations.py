"""Explains the embedded model's answers by words that are really in the text."""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from classifier.contract.answer import LONGEST_REASONING
from classifier.embeddings.encoders import Encoder
from classifier.embeddings.onnx_encoder import Encoded
from classifier.learning.heads import BoundHead
from classifier.learning.vector_space import Floats

MOST_WORDS = 2
MOST_SPANS = 8
MOST_ENCODED = 24
"""Words of a text that are encoded by themselves."""

_WORD = re.compile(r"[^\W_](?:[\w'’-]*\w)?")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no spaces between words."""


class ExplainedLabel(NamedTuple):
    """A label's place among those offered, its name, its probability, and the words that support it most."""

    place: int
    name: str
    confidence: float
    words: list[str]


class Unfamiliar(Enum):
    """Why an answer can't be trusted, however confident it looks."""

    LANGUAGE = "Not in a language that this model understands"
    TEXT = "Unlike anything labelled so far"


def by_states(text: str, piece: Encoded, direction: Floats) -> list[str]:
    """The words that pull hardest towards the label and away from its rival.

    The text's vector is the mean of its tokens' states, so each token's projection is its exact share of the result.
    """
    words = [(match.start(), match.group().lower()) for match in _WORD.finditer(text)]
    if not words:
        return []
    shares = piece.states @ direction
    # Pieces without extent are the tokenizer's marks; every other piece belongs to the word that began last.
    real = [index for index, (start, end) in enumerate(piece.offsets) if end > start]
    begun = np.searchsorted(
        [start for start, _word in words], [piece.offsets[index][0] for index in real], side="right"
    )
    pulls = np.bincount(begun, weights=shares[real], minlength=len(words) + 1)[1:]
    return _first((words[index][1], float(pulls[index])) for index in np.argsort(-pulls))


def by_words(text: str, encoder: Encoder, direction: Floats) -> list[str]:
    """The same for an encoder without token states: the words that by themselves lie furthest in the direction."""
    words = list(dict.fromkeys(word.lower() for word in _words(text)))
    longest = sorted(words, key=len, reverse=True)[:MOST_ENCODED]
    pulls = encoder.encode(longest) @ direction if longest else np.zeros(0, np.float32)
    return _first((longest[index], float(pulls[index])) for index in np.argsort(-pulls))


def _words(text: str) -> Iterator[str]:
    """Words; in scripts without spaces about them, every two letters."""
    for match in _WORD.finditer(text):
        if _UNSPACED.search(match.group()):
            run = match.group()
            yield from (run[start : start + 2] for start in range(max(len(run) - 1, 1)))
        else:
            yield match.group()


def by_terms(bound: BoundHead, text: str, label: int, rival: int) -> list[str]:
    """The same for the words-only model, whose terms have weights of their own."""
    whole = {match.group().lower() for match in _WORD.finditer(text)}
    pulls = ((term, pull) for term, pull in bound.pulls(text, label, rival) if term in whole)
    return _first(sorted(pulls, key=lambda pull: -pull[1]))


def _first(pulls: Iterable[tuple[str, float]]) -> list[str]:
    decisive = [word for word, pull in pulls if pull > 0 and len(word) > 2 or _UNSPACED.match(word)]
    return list(dict.fromkeys(decisive))[:MOST_WORDS]


def spans(text: str, words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Start and end of each of these words in the text."""
    wanted = set(words)
    matches = [match.span() for match in _WORD.finditer(text) if match.group().lower() in wanted]
    for word in wanted:
        if _UNSPACED.search(word):
            matches += [match.span() for match in re.finditer(re.escape(word), text, re.IGNORECASE)]
    return tuple(sorted(set(matches))[:MOST_SPANS])


def sentence(category: ExplainedLabel, sentiment: ExplainedLabel, unfamiliar: Unfamiliar | None) -> str:
    """One line of reasoning."""
    labels = [f"{label.name}{_because(label.words)}" for label in (category, sentiment)]
    reasons = f"{labels[0]}; tone {labels[1]}."
    return (f"{unfamiliar.value}. {reasons}" if unfamiliar else reasons)[:LONGEST_REASONING]


def _because(words: list[str]) -> str:
    return " because of " + " and ".join(f"“{word[:40]}”" for word in words) if words else ""
