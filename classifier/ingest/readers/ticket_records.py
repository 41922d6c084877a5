"""Streams tickets from plain lines, CSV, JSON lines or a spreadsheet, in bounded memory. Pure.

Unreadable records are yielded with the reason, and reading continues.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO, TypeVar

from classifier.ingest.message_text import plain_text
from classifier.ingest.readers.columns import COLUMNS, InvalidRecord, quoted_list, ticket_columns
from classifier.ingest.readers.csv_records import sniff_delimiter
from classifier.ingest.readers.tables import Table, csv_table, sheet_table
from classifier.ingest.readers.text_lines import (
    MAX_RECORD,
    UNDECODED,
    DamagedFile,
    TextLines,
    UnreadableFile,
    is_spreadsheet,
)
from classifier.text import LONGEST_TICKET, storable

MAX_RAW = 10_000  # characters kept of a rejected record

_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # JSON for NUL or a surrogate, lone or not

Values = dict[str, str | None]
_T = TypeVar("_T")


class Format(StrEnum):
    """The format of a file of tickets."""

    LINES = "lines"
    CSV = "csv"
    JSONL = "jsonl"
    SHEET = "sheet"


_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecord:
    """A ticket: the line it begins on, from 1, and its values by ticket field; the text is never empty.

    The text is below its subject and a blank line if there is one; HTML is converted to text. Other values are
    stripped, and None if empty. NUL characters and lone surrogates become U+FFFD.
    """

    number: int
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRecord:
    """A rejected record: the line it begins on, what to do about it, and its first MAX_RAW characters.

    Bytes that don't fit the encoding are shown as \\xNN.
    """

    number: int
    reason: str
    raw: str


def sniff_format(name: str, head: bytes) -> Format:
    """Detect the format of a file by its first few thousand bytes and its suffix."""
    if is_spreadsheet(head):
        return Format.SHEET
    plain = name.lower().removesuffix(".gz")
    for suffix, format in _SUFFIXES.items():
        if plain.endswith(suffix):
            return format
    try:
        line = next((line for line in TextLines(io.BytesIO(head)) if not line.isspace()), "")
    except DamagedFile as cut:
        line = cut.raw
    except UnreadableFile:
        return Format.LINES
    if line.lstrip().startswith(("{", "[")):
        return Format.JSONL
    return Format.CSV if _is_header(line) else Format.LINES


def _is_header(line: str) -> bool:
    try:
        names = next(csv.reader((line,), delimiter=sniff_delimiter(line), strict=True), [])
        ticket_columns(names, {})
    except (csv.Error, InvalidRecord):
        return False
    # "Text, please" is a sentence; a header has no spaces around its names.
    return names == ["text"] or (len(names) > 1 and all(name == name.strip() for name in names))


class TicketReader:
    """Iterates over the tickets and rejected records of a file, in order. The stream stays open.

    `mapping` gives the column of a ticket field (a key of COLUMNS); "" leaves the field out. Encoding and delimiter
    (comma, semicolon, tab or bar) are detected unless given; gzip always is. `columns` has the column of each field
    and `encoding` what the text is decoded with, as far as it has been read. Raises UnreadableFile, and only before
    the first record.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        format: Format,
        mapping: Mapping[str, str] = {},
        encoding: str | None = None,
        delimiter: str | None = None,
    ) -> None:
        if unknown := mapping.keys() - COLUMNS.keys():
            raise UnreadableFile(f"Unknown field {quoted_list(sorted(unknown))}; map one of {quoted_list(COLUMNS)}.")
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise UnreadableFile(f"{delimiter!r} cannot part cells: give one character, such as a comma.")
        self.columns: dict[str, str] = {}
        self._stream, self._format, self._mapping, self._delimiter = stream, format, mapping, delimiter
        self._lines = TextLines(stream, encoding)

    @property
    def encoding(self) -> str:
        return "" if self._format is Format.SHEET else self._lines.encoding

    def __iter__(self) -> Iterator[TicketRecord | RejectedRecord]:
        try:
            match self._format:
                case Format.LINES:
                    yield from _records(_numbered(self._lines), lambda line: _checked({"text": line.rstrip("\r\n")}))
                case Format.JSONL:
                    yield from _records(_numbered(_unless_document(self._lines)), self._values_of_object)
                case Format.CSV:
                    yield from self._rows(csv_table(iter(self._lines), self._delimiter))
                case Format.SHEET:
                    yield from self._rows(sheet_table(self._stream))
        except DamagedFile as cut:
            yield _rejection(cut.number, str(cut), cut.raw)

    def _rows(self, table: Table) -> Iterator[TicketRecord | RejectedRecord]:
        if not table.names:
            return
        try:
            self.columns = ticket_columns(table.names, self._mapping)
            folded = [name.casefold() for name in table.names]
            if twice := [name for name in self.columns.values() if folded.count(name.casefold()) > 1]:
                raise InvalidRecord(f"It names {quoted_list(twice)} more than once: rename one of them.")
        except InvalidRecord as refusal:
            raise UnreadableFile(f"The first line must name the columns. {refusal}") from refusal
        places = {field: table.names.index(column) for field, column in self.columns.items()}
        yield from _records(
            table.records, lambda cells: _checked({field: _stripped(field, cells[at]) for field, at in places.items()})
        )

    def _values_of_object(self, line: str) -> Values:
        record = _object(line)
        filled = [key for key, value in record.items() if value not in (None, "")]
        try:
            columns = ticket_columns(filled, self._mapping)
        except InvalidRecord:
            columns = ticket_columns(list(record), self._mapping)
        self.columns = columns | self.columns
        values = {field: _value(field, record[column]) for field, column in columns.items()}
        if _UNSTORABLE.search(line):
            values = {field: value and storable(value) for field, value in values.items()}
        return _checked(values)


def _records(
    records: Iterable[tuple[int, str, _T | InvalidRecord]], values_of: Callable[[_T], Values]
) -> Iterator[TicketRecord | RejectedRecord]:
    for number, raw, record in records:
        try:
            if isinstance(record, InvalidRecord):
                raise record
            values = values_of(record)
        except InvalidRecord as refusal:
            yield _rejection(number, str(refusal), raw)
        else:
            yield TicketRecord(number=number, values=values)


def _rejection(number: int, reason: str, raw: str) -> RejectedRecord:
    shown = UNDECODED.sub(lambda mark: f"\\x{ord(mark[0]) - 0xDC00:02x}", raw[:MAX_RAW])
    return RejectedRecord(number=number, reason=reason, raw=shown[:MAX_RAW])


def _checked(values: Values) -> Values:
    """Put the subject before the text. Raises InvalidRecord if the text is then empty or too long."""
    text, subject = plain_text(values["text"] or ""), values.pop("subject", None)
    if subject:
        text = f"{subject}\n\n{text}" if text.strip() else subject
    if not text or text.isspace():
        raise InvalidRecord("The text is empty: give the ticket a text.")
    if len(text) > LONGEST_TICKET:
        raise InvalidRecord(f"The text has {len(text):,} characters: shorten it to {LONGEST_TICKET:,}.")
    return values | {"text": text}


def _stripped(field: str, value: str) -> str | None:
    return value if field == "text" else value.strip() or None


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str, str | InvalidRecord]]:
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_RECORD:
            yield number, line, InvalidRecord(f"The line has more than {MAX_RECORD:,} characters: shorten it.")
        elif not line.isascii() and UNDECODED.search(line):
            reason = "Some bytes do not fit the encoding: name the right one, or save as UTF-8."
            yield number, line, InvalidRecord(reason)
        elif not line.isspace():
            yield number, line, line


# JSON lines


class _Number(str):
    """A JSON number as written, so that long IDs lose no digits."""

    __slots__ = ()


_JSON = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def _unless_document(lines: Iterable[str]) -> Iterator[str]:
    started = False
    for line in lines:
        if not started and not line.isspace():
            started = True
            if line.lstrip().startswith("[") or line.strip() == "{":
                raise UnreadableFile(
                    "The file is one JSON document: write one object on each line, "
                    "for example with: jq -c '.[]' FILE > FILE.jsonl"
                )
        yield line


def _object(line: str) -> dict[str, Any]:
    text = line.strip()
    try:
        record, end = _JSON.raw_decode(text)
    except json.JSONDecodeError as error:
        place = f"{error.msg}, at character {error.pos + 1}"
        raise InvalidRecord(f"The line is not JSON ({place}): correct it.") from error
    except RecursionError as error:
        raise InvalidRecord("The JSON is nested too deeply: write one flat object on each line.") from error
    if end != len(text) or type(record) is not dict:
        raise InvalidRecord("The line is not one JSON object: write one object, and nothing else, on each line.")
    return record


def _value(field: str, value: Any) -> str | None:
    if isinstance(value, dict) and field != "text":
        # A person or a channel, as help desks export them.
        value = next((value[key] for key in ("email", "channel", "name", "id") if value.get(key)), value)
    if type(value) is str:
        return _stripped(field, value)
    if value is None:
        return None
    if type(value) is _Number and field != "text":
        return str(value)
    raise InvalidRecord(f"The {field} is not a string: correct it, or map the {field} to another key.")
