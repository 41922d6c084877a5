"""Files of archived tickets: lines of JSON, compressed; first the names behind the keys, then a line a ticket."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

FORMAT = "ticketclf-archive-1"
PART = ".part"
"""At the end of a file's name until it is certain that it counts."""

Record = dict[str, Any]


class NoArchive(Exception):
    """A file is missing, changed or not what it should be; the message says which and what to do."""


def write(path: Path, names: Record, records: Iterable[Record]) -> None:
    """Write a whole file, which is on the disk when this returns. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw:
        # Without the time, so that the same tickets make the same file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            for line in ({"format": FORMAT} | names, *records):
                packed.write(json.dumps(line, ensure_ascii=False, default=_plain).encode() + b"\n")
        raw.flush()
        os.fsync(raw.fileno())
    sync(path.parent)


def sync(folder: Path) -> None:
    """Have the names in a folder be on the disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path) -> Iterator[Record]:
    """Its records, ticket by ticket. Raises NoArchive."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            if json.loads(next(file, "{}")).get("format") != FORMAT:
                raise NoArchive(f"{path} is no file of archived tickets, or of another version of this program.")
            for line in file:
                yield json.loads(line)
    except (OSError, EOFError, ValueError) as error:
        raise NoArchive(f"{path} cannot be read ({error}); take it from a backup.") from error


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{value!r} has no place in an archive.")
