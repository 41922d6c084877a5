"""Batch records to bound memory, and buffer the bytes that a library writes. Pure."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from review.datasets.record import Record

MOST_RECORDS = 5_000
MOST_CHARACTERS = 4_000_000


def in_batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield non-empty lists of at most MOST_RECORDS records, or about MOST_CHARACTERS of text."""
    batch: list[Record] = []
    characters = 0
    for record in records:
        batch.append(record)
        characters += len(record.text)
        if len(batch) >= MOST_RECORDS or characters >= MOST_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class StreamBuffer(io.RawIOBase):
    """A non-seekable file to write into; `drain` returns the bytes written since its last call."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def drain(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
