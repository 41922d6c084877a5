"""Records in batches that fit in memory, and bytes caught on their way out of a library. Pure."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from review.datasets.record import Record

MOST_RECORDS = 5_000
MOST_CHARACTERS = 4_000_000


def in_batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in lists, none empty; each ends once it holds MOST_RECORDS, or texts of MOST_CHARACTERS."""
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
    """A file to write into that cannot be rewound; `drain` hands over what has come in since it was last asked."""

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
