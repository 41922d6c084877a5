"""Parses a JSON text that arrives in pieces, holding no more than the current value needs. Pure."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from classifier.ingest.readers.text_lines import MAX_RECORD, DamagedFile

LONGEST_VALUE = 2 * MAX_RECORD
"""Characters of one value."""
_SPACE = " \t\r\n\ufeff"


class Value(NamedTuple):
    """A value, and how the file writes it."""

    raw: str
    value: Any


class JsonText:
    """The values of a JSON text. All methods raise DamagedFile where it is invalid, too long or ends early."""

    def __init__(self, pieces: Iterator[str], decoder: json.JSONDecoder | None = None) -> None:
        self._pieces = pieces
        self._decoder = decoder or json.JSONDecoder()
        self._held, self._at = "", 0

    def peek(self) -> str:
        """The next character that isn't space; "" at the end."""
        while True:
            while self._at < len(self._held) and self._held[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._read_more():
                return ""

    def take(self, expected: str) -> None:
        """Consume this character."""
        if (character := self.peek()) != expected:
            raise self._damage(f"{expected!r} is expected before {self._excerpt(self._at)}" if character else "")
        self._at += 1

    def array(self) -> Iterator[Value]:
        """The values of an array, one at a time."""
        self.take("[")
        while self.peek() != "]":
            yield self._value()
            self._separate("]")
        self.take("]")

    def object(self) -> Iterator[str]:
        """The keys of an object; the caller consumes the value of each before the next."""
        self.take("{")
        while self.peek() != "}":
            key = self._value().value
            if not isinstance(key, str):
                raise self._damage(f"{key!r} is no key")
            self.take(":")
            yield key
            self._separate("}")
        self.take("}")

    def skip(self) -> None:
        """Consume a value of any kind; only lists may be longer than LONGEST_VALUE."""
        if self.peek() == "[":
            for _value in self.array():
                pass
        else:
            self._value()

    def _separate(self, end: str) -> None:
        if self.peek() != end:
            self.take(",")
            if self.peek() == end:
                raise self._damage(f"a value is expected before {self._excerpt(self._at)}")

    def _value(self) -> Value:
        self.peek()
        while True:
            start = self._at
            try:
                value, end = self._decoder.raw_decode(self._held, start)
            except json.JSONDecodeError as error:
                reason = f"{error.msg}, before {self._excerpt(error.pos)}"
                if len(self._held) - start > LONGEST_VALUE:
                    raise self._damage(f"a value has more than {LONGEST_VALUE:,} characters, or {reason}") from error
                if not self._read_more():
                    raise self._damage(reason) from error
            except (ValueError, RecursionError) as error:
                raise self._damage(str(error)) from error
            else:
                # A number may go on in the next piece.
                if end < len(self._held) or not self._read_more():
                    self._at += end - start
                    return Value(self._held[self._at - end + start : self._at], value)

    def _read_more(self) -> bool:
        piece = next(self._pieces, "")
        self._held, self._at = self._held[self._at :] + piece, 0
        return bool(piece)

    def _damage(self, reason: str) -> DamagedFile:
        detail = f" ({reason})" if reason else ""
        damage = DamagedFile(f"From here on the JSON ends early or is not valid{detail}: export it again.")
        damage.raw = self._held[self._at :]
        return damage

    def _excerpt(self, at: int) -> str:
        return repr(self._held[at : at + 40]) if at < len(self._held) else "its end"
