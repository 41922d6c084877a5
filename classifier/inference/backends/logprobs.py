"""Reads label probabilities from a reply's token log-probabilities. Pure; never raises."""

import re
from collections.abc import Iterator
from typing import Any

LOWEST = -20.0
"""Values are clipped here; some endpoints return -9999 for very unlikely tokens."""

_PAIR = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*+:\s*+(?:"((?:[^"\\]|\\.)*+)")?', re.DOTALL)


def log_probability(tokens: Any, reply: str, key: str) -> float | None:
    """The log-probability of the string under `key` in the reply's JSON object, summed over its tokens.

    None if `tokens` do not spell the reply or lack log-probabilities.
    """
    reply_bytes = _bytes(reply)
    pieces = [_piece(token) for token in tokens] if isinstance(tokens, list) else []
    known = [piece for piece in pieces if piece is not None]
    # The tokens may include more than the reply: reasoning before it, or an end mark.
    begin = b"".join(known).rfind(reply_bytes)
    span = _span(reply_bytes, key)
    if len(known) < len(pieces) or begin < 0 or not span:
        return None
    overlapping = _overlapping(known, begin + span[0], begin + span[1])
    values: list[Any] = [tokens[index].get("logprob") for index in overlapping]
    if not all(type(value) in (int, float) and value <= 0 for value in values):
        return None
    # Each value is clipped too: an integer may be too large to add to floats.
    return float(max(sum(max(value, LOWEST) for value in values), LOWEST))


def _bytes(text: Any) -> bytes:
    encoded: bytes = text.encode(errors="surrogatepass")
    return encoded


def _piece(token: Any) -> bytes | None:
    """The token's bytes if given, since a character may span tokens; else those of its text."""
    if not isinstance(token, dict):
        return None
    raw_bytes, text = token.get("bytes"), token.get("token")
    try:
        return bytes(raw_bytes) if raw_bytes and isinstance(raw_bytes, list) else _bytes(text)
    except (AttributeError, TypeError, ValueError):
        return None


def _span(reply: bytes, key: str) -> tuple[int, int] | None:
    """Start and end of the string under the key, without quotes."""
    spans = (match.span(2) for match in _PAIR.finditer(reply) if match[2] and match[1] == key.encode())
    return next(spans, None)


def _overlapping(pieces: list[bytes], start: int, stop: int) -> Iterator[int]:
    """Indexes of the pieces that overlap these bytes."""
    at = 0
    for index, piece in enumerate(pieces):
        if at < stop and at + len(piece) > start:
            yield index
        at += len(piece)
