"""How a prompt lists options, and how an answer names one. Pure."""

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from classifier.contract.types import Option


def names(options: Sequence[Option]) -> list[str]:
    """The names of the options, in order."""
    return [option.name for option in options]


def line(option: Option) -> str:
    """The option's line in a list."""
    listed = f"- {json.dumps(option.name, ensure_ascii=False)}"
    if option.description:
        listed += f": {option.description}"
    if option.examples:
        listed += f" For example: {quoted(option.examples)}"
    return listed


def quoted(texts: Sequence[str]) -> str:
    """Example texts as JSON strings."""
    return "; ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def matching_name(value: Any, offered: Sequence[str]) -> str | None:
    """The offered name that this value is, or the only one that it is but for case, spaces and quotes."""
    if value in offered:
        return str(value)
    if not isinstance(value, str):
        return None
    alike = [name for name in offered if folded(name) == folded(value)]
    return alike[0] if len(alike) == 1 else None


def folded(name: str) -> str:
    """The name without regard to case, spaces and quotes."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split()).strip("\"'. ")
