"""Patterns of text attributes: regular expressions in RE2 syntax, which take linear time on any text. Pure."""

from functools import lru_cache
from typing import Any

import re2

LONGEST_PATTERN = 300

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class InvalidPattern(Exception):
    """Not a regular expression in RE2 syntax; the message says where."""


def check(pattern: str) -> None:
    """Raises InvalidPattern."""
    try:
        _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise InvalidPattern(reason.decode() if isinstance(reason, bytes) else str(reason)) from None


def fits(pattern: str, value: str) -> bool:
    """Whether the whole value matches; an empty pattern fits everything."""
    return not pattern or _compiled(pattern).fullmatch(value) is not None


def spans(pattern: str, text: str) -> list[tuple[int, int]]:
    """Start and end of each match in the text, without empty ones."""
    return [match.span() for match in _compiled(pattern).finditer(text) if match.group()]


def only_match(pattern: str, text: str) -> str | None:
    """The text that matches, if all matches are the same."""
    matches = {text[start:end] for start, end in spans(pattern, text)}
    return matches.pop() if len(matches) == 1 else None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)
