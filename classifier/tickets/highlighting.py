"""Splits a text at spans to highlight words. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from classifier.text import excerpt

LONGEST_WORD = 40


class Piece(NamedTuple):
    text: str
    marked: bool


def split_at_spans(text: str, spans: Iterable[object]) -> list[Piece]:
    """Split the whole text into pieces, marking those inside a span.

    Spans are [begin, end] pairs. Parts beyond the text are ignored, because the text may have changed since.
    """
    cut, done = [], 0
    for begin, end in _merged(_inside(spans, len(text))):
        cut += [Piece(text[done:begin], False), Piece(text[begin:end], True)]
        done = end
    return [piece for piece in [*cut, Piece(text[done:], False)] if piece.text]


def highlighted_words(text: str, spans: Iterable[object]) -> list[str]:
    """The highlighted words in text order, each once and shortened."""
    first: dict[str, str] = {}
    for piece in split_at_spans(text, spans):
        if piece.marked:
            first.setdefault(piece.text.casefold(), excerpt(piece.text, LONGEST_WORD))
    return list(first.values())


def _inside(spans: Iterable[object], length: int) -> Iterator[tuple[int, int]]:
    for span in spans:
        match span:
            case [int(begin), int(end)] if max(begin, 0) < min(end, length):
                yield max(begin, 0), min(end, length)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, with touching or overlapping spans merged."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
