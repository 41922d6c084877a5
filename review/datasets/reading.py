"""Read records from dataset files: our own exports, Label Studio's, and other tables and JSON. Pure.

Unusable records are returned with their number and the reason. Memory stays bounded: one record or batch is held at a
time.
"""

import gzip
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from itertools import chain, islice
from typing import IO, Any, BinaryIO, cast

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.text_lines import UnreadableFile, is_spreadsheet
from review.datasets.files import json_objects, tables
from review.datasets.files.errors import UnreadableDataset
from review.datasets.parsing import NoColumn, match_columns, parse_record
from review.datasets.record import Record, Rejected

__all__ = ["UnreadableDataset", "read"]

_HEAD = 64 * 1024
_ROWS_TO_CHECK = 100  # records that may lack a column before the file is said to

Values = Mapping[str, Any]
Rows = Iterable[Values | InvalidRecord]


def read(stream: BinaryIO, name: str, mapping: Mapping[str, str] = {}) -> Iterator[Record | Rejected]:
    """Yield the records of a seekable file, valid or rejected, in order. The stream stays open.

    The first bytes decide the format, and the extension of `name` if they are ambiguous. `mapping` gives the column of
    each field of Record; "" omits a field. Raises UnreadableDataset before the first record if nothing can be read, or
    later if the file is truncated.
    """
    if unknown := mapping.keys() - set(Record._fields):
        raise UnreadableDataset(
            f"There is no field {quoted_list(sorted(unknown))} to map; there are {quoted_list(Record._fields)}."
        )
    try:
        for number, values in enumerate(_rows_by_field(_rows(stream, name), mapping), 1):
            yield _parse(number, values)
    except UnreadableFile as error:
        raise UnreadableDataset(str(error)) from error


def column_names(stream: BinaryIO, name: str) -> list[str]:
    """The columns of the first record that can be read; none of an empty file. Raises UnreadableDataset."""
    try:
        readable = (row for row in islice(_rows(stream, name), _ROWS_TO_CHECK) if not isinstance(row, InvalidRecord))
        return list(next(readable, {}))
    except UnreadableFile as error:
        raise UnreadableDataset(str(error)) from error


def _rows(stream: BinaryIO, name: str) -> Rows:
    if not stream.seekable():
        raise UnreadableDataset("A dataset is read from a file that can be rewound: save it to a file first.")
    head = _head(stream)
    if head.startswith(b"PAR1"):
        return _rows_of("parquet_rows", stream)
    if is_spreadsheet(head) and not _is_archive_of_files(stream):
        return tables.sheet_rows(stream)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _rows_of("zipped", stream)
    compressed = head.startswith(b"\x1f\x8b")
    plain = cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if compressed else stream
    try:
        shown = _head(plain) if compressed else head
    except (OSError, EOFError, ValueError) as error:
        raise UnreadableDataset(f"The compressed file is damaged ({error}): fetch it again.") from error
    encoding = json.detect_encoding(shown)
    first = shown.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")[:1]
    stream.seek(0)
    if first == "[" and not _is_table(name):
        plain.seek(0)
        return json_objects.array(plain, encoding)
    if first == "{" and not _is_table(name):
        return json_objects.lines(stream)
    return tables.rows(stream)


def _is_archive_of_files(stream: BinaryIO) -> bool:
    """Whether it is a zip archive, but not a workbook."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return "mimetype" not in archive.namelist() and "[Content_Types].xml" not in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return _head(stream).startswith(b"PK")


def _rows_of(module: str, stream: BinaryIO) -> Rows:
    """The rows by a module imported on demand, since pyarrow is large and optional."""
    try:
        rows: Rows = import_module(f".files.{module}", __package__).rows(stream)
    except ModuleNotFoundError as error:
        raise UnreadableDataset(
            f"A Parquet file needs the package {error.name}: run “make data” or “pip install {error.name}”, "
            "or bring CSV or JSON lines."
        ) from error
    return rows


def _head(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    head = stream.read(_HEAD)
    stream.seek(0)
    return head


def _is_table(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))


def _rows_by_field(rows: Rows, mapping: Mapping[str, str]) -> Iterator[Values | InvalidRecord]:
    """The rows by the record's fields.

    Raises UnreadableDataset if columns are missing and none of the first _ROWS_TO_CHECK rows has the required ones.
    """
    known = lru_cache(maxsize=64)(lambda names: match_columns(names, mapping))
    every = (_by_field(row, known) for row in rows)
    first: list[Values | InvalidRecord] = []
    for values in every:
        first.append(values)
        if not isinstance(values, InvalidRecord) or len(first) == _ROWS_TO_CHECK:
            break
    missing = next((values for values in first if isinstance(values, NoColumn)), None)
    if missing and isinstance(first[-1], InvalidRecord):
        raise UnreadableDataset(str(missing)) from missing
    yield from chain(first, every)


def _by_field(
    row: Values | InvalidRecord, known: Callable[[tuple[str, ...]], dict[str, str]]
) -> Values | InvalidRecord:
    if isinstance(row, InvalidRecord):
        return row
    try:
        return {field: row[column] for field, column in known(tuple(row)).items()}
    except NoColumn as missing:
        return missing


def _parse(number: int, values: Values | InvalidRecord) -> Record | Rejected:
    try:
        if isinstance(values, InvalidRecord):
            raise values
        return parse_record(values)
    except InvalidRecord as refusal:
        return Rejected(number, str(refusal))
