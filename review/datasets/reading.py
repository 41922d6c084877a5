"""Read records from dataset files: our own exports, Label Studio's, and other tables and JSON. Pure.

Unusable records are returned with their number and the reason. Memory stays bounded: one record or batch is held at a
time.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from itertools import chain
from typing import IO, Any, BinaryIO

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.sample import Sample, take_sample
from classifier.ingest.readers.text_lines import DamagedFile, TextLines, UnreadableFile, is_spreadsheet
from review.datasets.files import json_objects, tables
from review.datasets.files.errors import UnreadableDataset
from review.datasets.formats.labels import PREFIX
from review.datasets.parsing import NoColumn, match_columns, parse_record
from review.datasets.record import Record, Rejected

__all__ = ["RecordReader", "UnreadableDataset"]

_HEAD = 64 * 1024
_ROWS_TO_CHECK = 100  # records that may lack a column before the file is said to

Values = Mapping[str, Any]
Rows = Iterable[Values | InvalidRecord]


class RecordReader:
    """Iterates over the records of a seekable file, valid or rejected, in order. The stream stays open.

    The first bytes decide the format, and the extension of `name` if they are ambiguous. `mapping` gives the column of
    each field of Record; "" omits a field. The encoding is detected unless given. Iterating raises UnreadableDataset
    before the first record if nothing can be read, or later if the file is truncated.
    """

    def __init__(
        self, stream: BinaryIO, name: str, mapping: Mapping[str, str] = {}, encoding: str | None = None
    ) -> None:
        if unknown := mapping.keys() - set(Record._fields):
            raise UnreadableDataset(
                f"There is no field {quoted_list(sorted(unknown))} to map; there are {quoted_list(Record._fields)}."
            )
        self._stream, self._name, self._mapping = stream, name, mapping
        self._lines = TextLines(stream, encoding)
        self._is_text = False

    @property
    def encoding(self) -> str:
        """What the text is decoded with, as far as it has been read; "" of a binary file."""
        return self._lines.encoding if self._is_text else ""

    def __iter__(self) -> Iterator[Record | Rejected]:
        try:
            for number, values in enumerate(_rows_by_field(self._rows(), self._mapping), 1):
                yield _parse(number, values)
        except UnreadableFile as error:
            raise UnreadableDataset(str(error)) from error

    def sample(self) -> Sample:
        """The first records, whatever their columns; empty of an empty file. Raises UnreadableDataset."""
        try:
            return take_sample(self._rows())._replace(encoding=self.encoding)
        except UnreadableFile as error:
            raise UnreadableDataset(str(error)) from error

    def _rows(self) -> Rows:
        stream = self._stream
        if not stream.seekable():
            raise UnreadableDataset("A dataset is read from a file that can be rewound: save it to a file first.")
        head = _head(stream)
        if head.startswith(b"PAR1"):
            return _rows_of("parquet_rows", stream)
        if is_spreadsheet(head) and not _is_archive_of_files(stream):
            return tables.sheet_rows(stream)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _rows_of("zipped", stream)
        self._is_text = True
        match "" if _is_table(self._name) else self._first_character():
            case "[":
                return json_objects.array(self._lines)
            case "{":
                return json_objects.lines(self._lines)
        return tables.rows(self._lines)

    def _first_character(self) -> str:
        try:
            return next(self._lines.pieces(), "").lstrip("\ufeff \t\r\n")[:1]
        except DamagedFile as error:
            raise UnreadableDataset(str(error)) from error
        finally:
            self._stream.seek(0)


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
        values = {field: row[column] for field, column in known(tuple(row)).items()}
        answers = {name.removeprefix(PREFIX): row[name] for name in row if name.startswith(PREFIX)}
        return values | {"attributes": answers} if answers else values
    except NoColumn as missing:
        return missing


def _parse(number: int, values: Values | InvalidRecord) -> Record | Rejected:
    try:
        if isinstance(values, InvalidRecord):
            raise values
        return parse_record(values)
    except InvalidRecord as refusal:
        return Rejected(number, str(refusal))
