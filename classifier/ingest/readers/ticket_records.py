"""Streams tickets from plain lines, CSV, JSON or a spreadsheet, in bounded memory. Pure.

Unreadable records are yielded with the reason, and reading continues.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from classifier.ingest.message_text import plain_text
from classifier.ingest.readers.columns import COLUMNS, InvalidRecord, quoted_list, ticket_columns
from classifier.ingest.readers.formats import Format
from classifier.ingest.readers.json_records import Number, json_records, numbered_lines
from classifier.ingest.readers.sample import Sample, take_sample
from classifier.ingest.readers.tables import Table, csv_table, named_cells, sheet_table
from classifier.ingest.readers.text_lines import UNDECODED, DamagedFile, TextLines, UnreadableFile
from classifier.text import LONGEST_TICKET, storable

MAX_RAW = 10_000  # characters kept of a rejected record

Values = dict[str, str | None]
_T = TypeVar("_T")


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
                    yield from _records(numbered_lines(self._lines), _values_of_line)
                case Format.JSON:
                    yield from self._objects()
                case Format.CSV:
                    yield from self._rows(csv_table(iter(self._lines), self._delimiter))
                case Format.SHEET:
                    yield from self._rows(sheet_table(self._stream))
        except DamagedFile as cut:
            yield _rejection(cut.number, str(cut), cut.raw)

    def sample(self) -> Sample:
        """The first records of a file that can be rewound, whatever their columns. Raises UnreadableFile."""
        try:
            return take_sample(self._raw(self._has_text))._replace(encoding=self.encoding)
        except UnreadableFile:
            if self._format is not Format.JSON:
                raise
        self._stream.seek(0)
        return take_sample(self._raw(lambda keys: len(keys) > 1))._replace(encoding=self.encoding)

    def _raw(self, is_record: Callable[[Collection[str]], bool]) -> Iterator[Mapping[str, Any] | InvalidRecord]:
        match self._format:
            case Format.LINES:
                for _number, _raw, line in numbered_lines(self._lines):
                    yield line if isinstance(line, InvalidRecord) else {"text": line}
            case Format.JSON:
                yield from (record for _number, _raw, record in json_records(self._lines.pieces(), is_record))
            case Format.CSV:
                yield from named_cells(csv_table(iter(self._lines), self._delimiter))
            case Format.SHEET:
                yield from named_cells(sheet_table(self._stream))

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

    def _objects(self) -> Iterator[TicketRecord | RejectedRecord]:
        number = 0
        try:
            for record in _records(json_records(self._lines.pieces(), self._has_text), self._values_of_object):
                number = record.number
                yield record
        except DamagedFile as cut:
            cut.number = max(cut.number, number + 1)
            raise

    def _has_text(self, keys: Collection[str]) -> bool:
        try:
            return bool(ticket_columns(list(keys), {"text": self._mapping["text"]} if "text" in self._mapping else {}))
        except InvalidRecord:
            return False

    def _values_of_object(self, record: Mapping[str, Any]) -> Values:
        filled = [key for key, value in record.items() if value not in (None, "")]
        try:
            columns = ticket_columns(filled, self._mapping)
        except InvalidRecord:
            columns = ticket_columns(list(record), self._mapping)
        self.columns = columns | self.columns
        values = {field: _value(field, record[column]) for field, column in columns.items()}
        return _checked({field: value and storable(value) for field, value in values.items()})


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


def _values_of_line(line: str) -> Values:
    return _checked({"text": line.rstrip("\r\n")})


def _stripped(field: str, value: str) -> str | None:
    return value if field == "text" else value.strip() or None


def _value(field: str, value: Any) -> str | None:
    if isinstance(value, dict) and field != "text":
        # A person or a channel, as help desks export them.
        value = next((value[key] for key in ("email", "channel", "name", "id") if value.get(key)), value)
    if type(value) is str:
        return _stripped(field, value)
    if value is None:
        return None
    if type(value) is Number and field != "text":
        return str(value)
    raise InvalidRecord(f"The {field} is not a string: correct it, or map the {field} to another key.")
