"""The embedded model: the label whose name, description and examples lie nearest to the text, and why."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from classifier.contract import Answer, ClassifierError, Contract, Option, Usage
from classifier.prompt import LONGEST_REASONING

from . import encoder
from .encoder import Encoded, Encoder, Floats

LONGEST_TEXT = 1_400
"""Characters, about what fits into the encoder's 256 tokens; of a longer text it reads the beginning and the end."""

SHARPNESS = 20.0
"""softmax(20 x cosine) is a usable first confidence for this encoder."""

WINDOW = 64
"""Texts answered before the first of them is handed out."""

_NOISE = re.compile(r"<[^<>]{1,200}>|https?://\S+|(?<!\w)@\w+")
_WORD = re.compile(r"[^\W_][\w'’-]*")


class Prototypes(NamedTuple):
    """The options of one axis and a unit vector for each: shape (options, 384)."""

    options: tuple[Option, ...]
    vectors: Floats


class EmbeddedClassifier:
    def __init__(self, model_file: str = "", tokenizer_file: str = "") -> None:
        self._encoder: Encoder = encoder.load(model_file, tokenizer_file)
        self._prototypes = lru_cache(maxsize=8)(self._encode_contract)

    def classify(self, texts: Sequence[str], contract: Contract) -> Iterator[Answer | ClassifierError]:
        categories, sentiments = self._prototypes(contract)
        for start in range(0, len(texts), WINDOW):
            window = texts[start : start + WINDOW]
            begun = time.perf_counter()
            read = [readable(text) for text in window]
            answers = {
                index: _answer(read[index], piece, categories, sentiments)
                for index, piece in self._encoder.encode_pieces(read)
            }
            share = (time.perf_counter() - begun) * 1000 / len(window)
            for index, text in enumerate(window):
                usage = Usage(requests=1, latency_ms=share, shortened=len(text) > LONGEST_TEXT)
                yield replace(answers[index], usage=usage)

    def _encode_contract(self, contract: Contract) -> tuple[Prototypes, Prototypes]:
        return self._encode_options(contract.categories), self._encode_options(contract.sentiments)

    def _encode_options(self, options: tuple[Option, ...]) -> Prototypes:
        vectors = np.stack([self._prototype(option) for option in options])
        return Prototypes(options, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def _prototype(self, option: Option) -> Floats:
        """Name and description weigh as much as all examples together."""
        name = option.name.replace(" > ", " ").replace("_", " ")
        described = f"{name}: {option.description}" if option.description else name
        vectors = self._encoder.encode([described, *option.examples])
        prototype: Floats = vectors[0] if len(vectors) == 1 else vectors[0] + vectors[1:].mean(axis=0)
        return prototype


def readable(text: str) -> str:
    """What the encoder is given: without markup, addresses and handles, the middle of long texts left out."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT * 2 // 3]} … {text[-LONGEST_TEXT // 3 :]}"
    return " ".join(_NOISE.sub(" ", text).split()) or text[:LONGEST_TEXT]


def _answer(text: str, piece: Encoded, categories: Prototypes, sentiments: Prototypes) -> Answer:
    category, category_probability, category_words = _judge(text, piece, categories)
    sentiment, sentiment_probability, sentiment_words = _judge(text, piece, sentiments)
    return Answer(
        category=category,
        sentiment=sentiment,
        confidence=category_probability * sentiment_probability,
        reasoning=_sentence(category, category_words, sentiment, sentiment_words),
    )


def _judge(text: str, piece: Encoded, prototypes: Prototypes) -> tuple[str, float, list[str]]:
    """The nearest option, its probability, and the words that speak for it most."""
    closeness = prototypes.vectors @ piece.vector
    weights = np.exp(SHARPNESS * (closeness - closeness.max()))
    best = int(closeness.argmax())
    if len(prototypes.options) == 1:
        return prototypes.options[0].name, 1.0, []
    rival = int(np.argsort(closeness)[-2])
    words = _telling_words(text, piece, prototypes.vectors[best] - prototypes.vectors[rival])
    return prototypes.options[best].name, float(weights[best] / weights.sum()), words


def _telling_words(text: str, piece: Encoded, direction: Floats, most: int = 2) -> list[str]:
    """The words that pull hardest towards the label and away from its rival.

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
    ranked = [words[index][1] for index in np.argsort(-pulls) if pulls[index] > 0 and len(words[index][1]) > 2]
    return list(dict.fromkeys(ranked))[:most]


def _sentence(category: str, category_words: list[str], sentiment: str, sentiment_words: list[str]) -> str:
    sentence = f"Closest to {category}{_evidence(category_words)}; the tone to {sentiment}{_evidence(sentiment_words)}."
    return sentence[:LONGEST_REASONING]


def _evidence(words: list[str]) -> str:
    return " by " + " and ".join(f"“{word[:40]}”" for word in words) if words else ""
