"""Streams tickets from plain lines, CSV or JSON lines, in bounded memory. Pure.

Unreadable records are yielded with the reason, and reading continues.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import Any, BinaryIO, TypeVar

from classifier.ingest.readers.columns import COLUMNS, InvalidRecord, columns_of, quoted_list
from classifier.ingest.readers.csv_records import CsvRecords, sniff_delimiter
from classifier.ingest.readers.text_lines import MAX_RECORD, UNDECODED, DamagedFile, UnreadableFile, open_lines
from classifier.text import LONGEST_TICKET, storable

__all__ = [
    "COLUMNS",
    "MAX_RAW",
    "MAX_RECORD",
    "MAX_TEXT",
    "Format",
    "RejectedRecord",
    "TicketRecord",
    "UnreadableFile",
    "read_tickets",
    "sniff_format",
]

MAX_TEXT = LONGEST_TICKET
MAX_RAW = 10_000  # characters kept of a rejected record

_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # JSON for NUL or a surrogate, lone or not

Values = dict[str, str | None]
_T = TypeVar("_T")


class Format(StrEnum):
    """The format of a file of tickets."""

    LINES = "lines"
    CSV = "csv"
    JSONL = "jsonl"


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

    The text is unchanged, below its subject and a blank line if there is one. Other values are stripped, and None
    if empty. NUL characters and lone surrogates become U+FFFD.
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
    """Detect the format of a file by its suffix, or else by its first few thousand bytes."""
    plain = name.lower().removesuffix(".gz")
    for suffix, format in _SUFFIXES.items():
        if plain.endswith(suffix):
            return format
    try:
        lines = open_lines(io.BytesIO(head), None)
        line = next((line for line in lines if not line.isspace()), "")
    except DamagedFile as cut:
        line = cut.raw
    except UnreadableFile:
        return Format.LINES
    if line.lstrip().startswith(("{", "[")):
        return Format.JSONL
    return Format.CSV if _is_header(line) else Format.LINES


def read_tickets(
    stream: BinaryIO,
    *,
    format: Format,
    mapping: Mapping[str, str] = {},
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Iterator[TicketRecord | RejectedRecord]:
    """Yield the tickets and rejected records of a file, in order. The stream stays open.

    `mapping` gives the column of a ticket field (a key of COLUMNS); "" leaves the field out. Encoding (byte-order
    mark, else UTF-8, else Windows-1252) and delimiter (comma, semicolon, tab or bar) are detected unless given;
    gzip always is. Raises UnreadableFile, and only before the first row.
    """
    _check_arguments(mapping, delimiter)
    lines = open_lines(stream, encoding)
    try:
        match format:
            case Format.LINES:
                yield from _rows(_numbered(lines), lambda line: _checked({"text": line.rstrip("\r\n")}))
            case Format.JSONL:
                yield from _rows(_numbered(_unless_document(lines)), _object_reader(mapping))
            case Format.CSV:
                yield from _csv_rows(lines, mapping, delimiter)
    except DamagedFile as cut:
        yield _rejection(cut.number, str(cut), cut.raw)


def _check_arguments(mapping: Mapping[str, str], delimiter: str | None) -> None:
    if unknown := mapping.keys() - COLUMNS.keys():
        raise UnreadableFile(f"Unknown field {quoted_list(sorted(unknown))}; map one of {quoted_list(COLUMNS)}.")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise UnreadableFile(f"{delimiter!r} cannot part cells: give one character, such as a comma.")


# Records to tickets


def _rows(
    records: Iterable[tuple[int, str, _T | InvalidRecord]], values_of: Callable[[_T], Values]
) -> Iterator[TicketRecord | RejectedRecord]:
    for number, raw, record in records:
        try:
            if isinstance(record, InvalidRecord):
                raise record
            if not raw.isascii() and UNDECODED.search(raw):
                raise InvalidRecord("Some bytes do not fit the encoding: name the right one, or save as UTF-8.")
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
    text = values["text"] or ""
    if subject := values.pop("subject", None):
        text = f"{subject}\n\n{text}" if text.strip() else subject
        values["text"] = text
    if not text or text.isspace():
        raise InvalidRecord("The text is empty: give the ticket a text.")
    if len(text) > MAX_TEXT:
        raise InvalidRecord(f"The text has {len(text):,} characters: shorten it to {MAX_TEXT:,}.")
    return values


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str, str | InvalidRecord]]:
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_RECORD:
            yield number, line, InvalidRecord(f"The line has more than {MAX_RECORD:,} characters: shorten it.")
        elif not line.isspace():
            yield number, line, line


# JSON lines


class _Number(str):
    """A JSON number as written, so that long IDs lose no digits."""

    __slots__ = ()


_JSON = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def _unless_document(lines: Iterator[str]) -> Iterator[str]:
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


def _object_reader(mapping: Mapping[str, str]) -> Callable[[str], Values]:
    @lru_cache(maxsize=16)
    def known(keys: tuple[str, ...]) -> dict[str, str]:
        return columns_of(keys, mapping)

    def values_of(line: str) -> Values:
        record = _object(line)
        columns = known(tuple(record))
        values = {field: _value(field, record[column]) for field, column in columns.items()}
        if _UNSTORABLE.search(line):
            values = {field: value and storable(value) for field, value in values.items()}
        return _checked(values)

    return values_of


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


def _value(field: str, value: object) -> str | None:
    if type(value) is str:
        return value if field == "text" else value.strip() or None
    if value is None:
        return None
    if type(value) is _Number and field != "text":
        return str(value)
    raise InvalidRecord(f"The {field} is not a string: correct it, or map the {field} to another key.")


# CSV


def _csv_rows(
    lines: Iterator[str], mapping: Mapping[str, str], delimiter: str | None
) -> Iterator[TicketRecord | RejectedRecord]:
    number, first = next(((n, line) for n, line in enumerate(lines, 1) if not line.isspace()), (0, ""))
    if not first:
        return
    table = CsvRecords(chain((first,), lines), delimiter or sniff_delimiter(first), number)
    records = iter(table)
    _, _, header = next(records)
    if isinstance(header, InvalidRecord):
        raise UnreadableFile(f"The first line, which names the columns, cannot be read. {header}")
    table.width = len(header)
    try:
        values_of = _cells_reader([name.strip() for name in header], mapping)
    except InvalidRecord as refusal:
        raise UnreadableFile(f"The first line must name the columns. {refusal}") from refusal
    yield from _rows(records, values_of)


def _is_header(line: str) -> bool:
    try:
        names = next(csv.reader((line,), delimiter=sniff_delimiter(line), strict=True), [])
        columns_of(names, {})
    except (csv.Error, InvalidRecord):
        return False
    # "Text, please" is a sentence; a header has no spaces around its names.
    return names == ["text"] or (len(names) > 1 and all(name == name.strip() for name in names))


def _cells_reader(names: list[str], mapping: Mapping[str, str]) -> Callable[[list[str]], Values]:
    folded = [name.casefold() for name in names if name]
    if twice := [name for name in dict.fromkeys(folded) if folded.count(name) > 1]:
        raise InvalidRecord(f"It names {quoted_list(twice)} more than once: rename one of them.")
    at = {field: names.index(column) for field, column in columns_of(names, mapping).items()}
    text_at = at.pop("text")
    others = list(at.items())
    width = len(names)

    def values_of(cells: list[str]) -> Values:
        if len(cells) < width:
            if len(cells) <= text_at:
                raise InvalidRecord(f"The record has {len(cells)} cells of {width} and no text: complete it.")
            cells += [""] * (width - len(cells))
        elif any(cell.strip() for cell in cells[width:]):
            raise InvalidRecord(f"The record has {len(cells)} cells, not {width}: quote what holds a delimiter.")
        values: Values = {field: cells[place].strip() or None for field, place in others}
        values["text"] = cells[text_at]
        return _checked(values)

    return values_of
