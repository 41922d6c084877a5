"""How a person's texts are made to say nothing of them: what stands in their place, and what quotes them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from classifier.privacy.masking import mask

ERASED = "(erased)"
CUSTOMER = "[customer]"
_SHORTEST_NAME, _SHORTEST_LINE = 3, 16
_ELSEWHERE = 40
"""So many characters tell a text where another one quotes it."""


@dataclass
class Redaction:
    """The texts of some tickets and the names of who wrote them. `masks` says that only personal data goes, `thorough`
    that the very same texts and pieces of them go from wherever else they are.

    `counts` and `remains` are filled in by whoever wipes: rows by table, and what cannot be changed, by name.
    """

    texts: list[str]
    names: set[str]
    masks: bool = False
    thorough: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    remains: set[str] = field(default_factory=set)

    def wiped(self, text: str) -> str:
        """What stands in the text's place; nothing stays nothing."""
        if not text:
            return ""
        return self._named.sub(CUSTOMER, mask(text)) if self.masks else ERASED

    def lines(self, text: str) -> str:
        """A text of several lines, with those wiped that quote one of these tickets."""
        return "\n".join(self.wiped(line) if self.quotes(line) else line for line in text.split("\n"))

    def quotes(self, line: str) -> bool:
        """Whether it is a piece of one of the texts, shortened or masked though it may be."""
        piece = _plain(line).removesuffix("...").rstrip("…")
        if len(piece) < _SHORTEST_LINE:
            return bool(piece) and any(piece == plain for plain in self._plain)
        return any(piece in plain for plain in self._plain)

    def count(self, name: str, number: int) -> None:
        """So many rows of a table were changed or removed."""
        if number:
            self.counts[name] += number

    @property
    def beginnings(self) -> list[str]:
        """How the texts and names begin, for those who look for them in what others keep."""
        return [text[:_ELSEWHERE] for text in (*self.texts, *sorted(self.names)) if len(text) >= _SHORTEST_NAME]

    @cached_property
    def _plain(self) -> list[str]:
        return [_plain(one) for text in self.texts for one in (text, mask(text))]

    @cached_property
    def _named(self) -> re.Pattern[str]:
        names = [re.escape(name) for name in sorted(self.names, key=len, reverse=True) if len(name) >= _SHORTEST_NAME]
        return re.compile("|".join(names) or r"(?!)", re.IGNORECASE)


def _plain(text: str) -> str:
    return " ".join(text.split())
