"""Replaces erased texts, and finds text that quotes them. Pure."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from classifier.privacy.masking import mask

ERASED = "(erased)"
CUSTOMER = "[customer]"
_SHORTEST_NAME, _SHORTEST_LINE = 3, 16
_ELSEWHERE = 40
"""How many characters identify a text where it is quoted."""


@dataclass
class Redaction:
    """The texts and customer names to redact. With `masks` only personal data is replaced; with `thorough` identical
    texts and quotes of them elsewhere are redacted too.

    `counts` collects how many rows were changed by table, `remains` what could not be changed.
    """

    texts: list[str]
    names: set[str]
    masks: bool = False
    thorough: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    remains: set[str] = field(default_factory=set)

    def redacted(self, text: str) -> str:
        """The replacement for a text; empty stays empty."""
        if not text:
            return ""
        return self._named.sub(CUSTOMER, mask(text)) if self.masks else ERASED

    def redact_lines(self, text: str) -> str:
        """The text, with those lines redacted that quote one of the tickets."""
        return "\n".join(self.redacted(line) if self.quotes(line) else line for line in text.split("\n"))

    def quotes(self, line: str) -> bool:
        """Whether the line is part of one of the texts, even if shortened or masked."""
        piece = _plain(line).removesuffix("...").rstrip("…")
        if len(piece) < _SHORTEST_LINE:
            return bool(piece) and any(piece == plain for plain in self._plain)
        return any(piece in plain for plain in self._plain)

    def count(self, name: str, number: int) -> None:
        """Count rows that were changed or deleted."""
        if number:
            self.counts[name] += number

    @property
    def prefixes(self) -> list[str]:
        """The start of each text and name, for searching elsewhere."""
        return [text[:_ELSEWHERE] for text in (*self.texts, *sorted(self.names)) if len(text) >= _SHORTEST_NAME]

    @cached_property
    def _plain(self) -> list[str]:
        return [_plain(variant) for text in self.texts for variant in (text, mask(text))]

    @cached_property
    def _named(self) -> re.Pattern[str]:
        names = [re.escape(name) for name in sorted(self.names, key=len, reverse=True) if len(name) >= _SHORTEST_NAME]
        return re.compile("|".join(names) or r"(?!)", re.IGNORECASE)


def _plain(text: str) -> str:
    return " ".join(text.split())
