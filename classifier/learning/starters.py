"""What is known of sentiments before there are labels: directions trained on texts written for this project."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from safetensors.numpy import load_file

from classifier.contract.types import Option
from classifier.learning.heads import OfferedLabel, Starter

FILE = Path(__file__).parent.parent / "data" / "sentiment_starters.safetensors"
SENTIMENTS = ("Positive", "Neutral", "Negative")
_WORDS = {
    "Positive": """
        positive positiv positivo positiva positif positief ポジティブ 正面 积极
        happy satisfied grateful praise zufrieden contento satisfait
    """,
    "Neutral": """
        neutral neutro neutra neutre neutraal ニュートラル 中立 中性
        calm calmly sachlich
    """,
    "Negative": """
        negative negativ negativo negativa négatif negatief ネガティブ 负面 消极
        angry annoyed unhappy upset frustrated verärgert enfadado mécontent
    """,
}
_SENTIMENT_OF = {word: sentiment for sentiment, words in _WORDS.items() for word in words.split()}


def with_starters(options: Sequence[Option], offered: Sequence[OfferedLabel]) -> list[OfferedLabel]:
    """The offered sentiments with their starters, for the encoders that have them. Unchanged unless every one has a
    starter of its own: scores of starters and prototypes do not compare.
    """
    meanings = [_meaning(option) for option in options]
    if None in meanings or len(set(meanings)) < len(meanings):
        return list(offered)
    return [
        label._replace(
            starters={encoder: starters[meaning] for encoder in label.prototype if (starters := _starters(encoder))}
        )
        for label, meaning in zip(offered, meanings, strict=True)
        if meaning
    ]


def _meaning(option: Option) -> str | None:
    """The sentiment that a label's name states, or else its description."""
    for text in (option.name, option.description):
        stated = {_SENTIMENT_OF[word] for word in re.findall(r"\w+", text.lower()) if word in _SENTIMENT_OF}
        if len(stated) == 1:
            return stated.pop()
    return None


@lru_cache(maxsize=4)
def _starters(encoder: str) -> dict[str, Starter]:
    """By sentiment; empty for an encoder that none were trained for."""
    arrays = load_file(FILE)
    if f"{encoder}.directions" not in arrays:
        return {}
    directions, biases = arrays[f"{encoder}.directions"], arrays[f"{encoder}.biases"]
    return {name: Starter(directions[row], float(biases[row])) for row, name in enumerate(SENTIMENTS)}
