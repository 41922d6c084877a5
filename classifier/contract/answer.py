"""Checks an answer's values against the contract. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from classifier.contract import attributes
from classifier.contract.options import matching_name, names
from classifier.contract.types import Answer, Contract, FailureKind, Option
from classifier.text import storable

KEYS = ("category", "sentiment", "confidence", "reasoning")
LONGEST_REASONING = 500

_ROUNDING = 1e-6
_LOWEST_PERCENTAGE = 50
"""A bare number above this and up to 100 can only be per cent; a smaller one may be of any scale."""

_NUMBER = re.compile(r"\+?(\d*[.,]?\d+) ?(%|per ?cent)?", re.ASCII)


class InvalidAnswer(Exception):
    """A reply that breaks the contract; the message tells the model what to fix."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def checked(values: Mapping[str, Any], contract: Contract) -> Answer:
    """The answer that these values give, under the contract's keys. Raises InvalidAnswer."""
    category = _label("category", values["category"], contract.categories)
    usable, unusable = attributes.usable_values(values.get(attributes.KEY), contract.attributes, category)
    return Answer(
        category=category,
        sentiment=_label("sentiment", values["sentiment"], contract.sentiments),
        confidence=_confidence(values.get("confidence")),
        reasoning=_reasoning(values.get("reasoning")),
        attributes=usable,
        unusable=unusable,
    )


def _label(key: str, value: Any, options: Sequence[Option]) -> str:
    name = matching_name(value, names(options))
    if name is None:
        raise InvalidAnswer(
            FailureKind.UNKNOWN_LABEL,
            f"{_quoted(value)} is not a {key} of the list; take one of it, spelt exactly so.",
        )
    return name


def _confidence(value: Any) -> float:
    number, per_cent = value, False
    if isinstance(value, str) and (match := _NUMBER.fullmatch(value.strip())):
        number, per_cent = float(match[1].replace(",", ".")), bool(match[2])
    if isinstance(number, int | float) and not isinstance(number, bool):
        if not per_cent and -_ROUNDING <= number <= 1 + _ROUNDING:
            return float(min(max(number, 0), 1))
        # "0.9%" is as likely meant as 0.9.
        if _LOWEST_PERCENTAGE < number <= 100 or (per_cent and (number == 0 or 1 <= number <= 100)):
            return number / 100
    raise InvalidAnswer(
        FailureKind.BAD_CONFIDENCE, f"The confidence must be a number from 0 to 1, not {_quoted(value)}."
    )


def _reasoning(value: Any) -> str:
    """One line; empty if the model gave no reason."""
    if isinstance(value, list) and all(isinstance(sentence, str) for sentence in value):
        value = " ".join(value)
    if value is not None and not isinstance(value, str):
        raise InvalidAnswer(FailureKind.BAD_REASONING, "The reasoning must be a sentence.")
    return " ".join(storable(value or "").split())[:LONGEST_REASONING]


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]
