"""Checks an answer's values against the contract. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from classifier.contract import attributes, further_categories
from classifier.contract.options import matching_name, names
from classifier.contract.types import Answer, Contract, FailureKind, Option
from classifier.text import storable

LONGEST_REASONING = 500

_ROUNDING = 1e-6
_LOWEST_PERCENTAGE = 50
"""A bare number above this and up to 100 can only be per cent; a smaller one may be of any scale."""

_NUMBER = re.compile(r"\+?(\d*[.,]?\d+) ?(%|per ?cent)?", re.ASCII)
_FRACTION = re.compile(r"(\d{1,3}(?:[.,]\d+)?) ?(?:/|out of) ?(5|10|100)", re.ASCII)
_NUMBERED = re.compile(r"\(?\d{1,3}[.):]\s+(.+)", re.ASCII | re.DOTALL)


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
        further_categories=_further_categories(values, contract, category),
    )


def _further_categories(values: Mapping[str, Any], contract: Contract, main: str) -> tuple[str, ...]:
    if not contract.further_categories:
        return ()
    return further_categories.usable(values.get(further_categories.KEY), contract.categories, main)


def _label(key: str, value: Any, options: Sequence[Option]) -> str:
    name = matching_name(value, names(options)) or _listed_name(value, options)
    if name is None:
        raise InvalidAnswer(
            FailureKind.UNKNOWN_LABEL,
            f"{_quoted(value)} is not a {key} of the list; take one of it, spelt exactly so.",
        )
    return name


def _listed_name(value: Any, options: Sequence[Option]) -> str | None:
    """The only label that this is with its number in a list, or with its description."""
    if not isinstance(value, str):
        return None
    if numbered := _NUMBERED.fullmatch(value.strip()):
        return matching_name(numbered[1], names(options))
    bare = _without_signs(value)
    described = [
        option.name
        for option in options
        if option.description and bare == _without_signs(f"{option.name} {option.description}")
    ]
    return described[0] if len(described) == 1 else None


def _without_signs(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _confidence(value: Any) -> float:
    number, per_cent = value, False
    if isinstance(value, str) and (match := _NUMBER.fullmatch(value.strip())):
        number, per_cent = float(match[1].replace(",", ".")), bool(match[2])
    elif isinstance(value, str) and (fraction := _FRACTION.fullmatch(value.strip())):
        share = float(fraction[1].replace(",", ".")) / int(fraction[2])
        number = share if share <= 1 else value
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
