"""Asks models for further categories beside the main one, and checks what they name. Pure."""

from collections.abc import Sequence
from typing import Any

from classifier.contract.options import matching_name, names
from classifier.contract.types import Option

KEY = "further_categories"
"""The answer's key that holds them."""

MOST = 5
"""Further categories of a ticket."""

REQUEST = f"""\
The JSON object has one key more, after "reasoning": "{KEY}", a list of further categories from the list above, spelt \
exactly so, for tickets that ask for more than one thing. "category" stays the main problem; list here what would need \
an answer of its own, the most important first, at most {MOST}. Most tickets have none: then the list is empty."""


def schema(categories: Sequence[str]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "enum": list(categories)}}


def usable(given: Any, categories: Sequence[Option], main: str) -> tuple[str, ...]:
    """The further categories that an answer names, without the main one; what is none of the list is left out."""
    offered = names(categories)
    named = [matching_name(value, offered) for value in (given if isinstance(given, list) else [given])]
    return tuple(dict.fromkeys(name for name in named if name and name != main))[:MOST]
