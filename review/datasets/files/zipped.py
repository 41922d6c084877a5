"""Read rows from a zip archive of a Hugging Face dataset. Pure."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO

from review.datasets.files import parquet_rows
from review.datasets.files.errors import UnreadableDataset

LARGEST_FILE = 4 * 1024**3
"""Largest unpacked size of a file, in bytes."""
_RATIO = 50  # Parquet is already compressed, so a higher ratio means a zip bomb
_SMALL = 1024 * 1024
_CHUNK = 1024 * 1024


def rows(stream: BinaryIO) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of every Parquet file, the training split first.

    A file without a column `side` takes it from its name, if that starts with a split. Raises UnreadableDataset if
    there is no Parquet file, or if one is damaged or too large.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".parquet")]
            if not entries and "manifest.json" not in archive.namelist():  # an export without records has one
                raise UnreadableDataset("The archive holds no Parquet file: save a spreadsheet as CSV, or unpack it.")
            for entry in sorted(entries, key=lambda entry: _split(entry) == "test"):
                with tempfile.TemporaryFile() as unpacked:
                    _unpack(archive, entry, unpacked)
                    given: dict[str, Any] = {"side": split} if (split := _split(entry)) else {}
                    for row in parquet_rows.rows(unpacked):
                        yield {**given, **row}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UnreadableDataset(f"The archive is damaged or of an unknown kind ({error}): fetch it again.") from error


def _split(entry: zipfile.ZipInfo) -> str:
    name = PurePosixPath(entry.filename).name
    return next((split for split in ("train", "test") if name.startswith(split)), "")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, unpacked: IO[bytes]) -> None:
    """Unpack a file into one that is fast to seek in."""
    if entry.flag_bits & 1:
        raise UnreadableDataset("The archive is locked with a password: unpack it, and zip it without one.")
    bound = min(LARGEST_FILE, max(entry.compress_size * _RATIO, _SMALL))
    with archive.open(entry) as packed:
        size = 0
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > bound:
                raise UnreadableDataset(
                    f"{entry.filename} unpacks to more than {bound:,} bytes: give the Parquet file by itself."
                )
            unpacked.write(chunk)
    unpacked.seek(0)
