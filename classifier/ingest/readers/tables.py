"""Reads tables with named columns from CSV and spreadsheets. Pure."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook

from classifier.ingest.readers.columns import COLUMNS, InvalidRecord, match_columns
from classifier.ingest.readers.csv_records import CsvRecords, sniff_delimiter
from classifier.ingest.readers.text_lines import UNDECODED, UnreadableFile

MAX_UNPACKED = 512 * 1024**2
"""Bytes that a spreadsheet may unpack to, since it is held in memory."""

_TITLE_ROWS = 10
"""Rows that may stand above the names of the columns."""

Cells = list[str] | InvalidRecord
Record = tuple[int, str, Cells]


class Table(NamedTuple):
    """The names of the columns, and for each record the line it begins on, its raw text and a cell per column.

    Names may be empty or repeated. Titles above them are left out, and so are rows that only repeat them, as joined
    exports have them.
    """

    names: list[str]
    records: Iterator[Record]


def csv_table(lines: Iterator[str], delimiter: str | None = None) -> Table:
    """The table in these lines; without a delimiter it is detected. Raises UnreadableFile for a broken first line."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if not line.isspace())
    number, first = next(numbered, (0, ""))
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # as Excel reads and writes it
        delimiter = delimiter or first.strip()[4]
        number, first = next(numbered, (0, ""))
    if not first:
        return Table([], iter(()))
    table = CsvRecords(chain((first,), lines), delimiter or sniff_delimiter(first), number)
    records = iter(table)
    header, first_records = _header(records)
    if isinstance(header, InvalidRecord):
        raise UnreadableFile(f"The first line, which names the columns, cannot be read. {header}")
    table.width = len(header)
    return _table(header, chain(first_records, records))


def sheet_table(stream: BinaryIO) -> Table:
    """The first sheet of a spreadsheet (Excel or OpenDocument). Raises UnreadableFile."""
    if not stream.seekable():
        stream = io.BytesIO(stream.read(MAX_UNPACKED))
    try:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                    raise UnreadableFile("The spreadsheet is too large to be read at once: save it as CSV in UTF-8.")
        stream.seek(0)
        with CalamineWorkbook.from_filelike(stream) as book:
            rows = [[_text_of(value) for value in row] for row in book.get_sheet_by_index(0).iter_rows()]
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise UnreadableFile(
            f"The file is no spreadsheet that can be read ({error}): save it as CSV in UTF-8."
        ) from error
    records = iter([(number, "\t".join(cells), cells) for number, cells in enumerate(rows, 1) if any(cells)])
    header, first_records = _header(records)
    if isinstance(header, InvalidRecord):
        raise UnreadableFile(str(header))
    return _table(header, chain(first_records, records))


def _header(records: Iterator[Record]) -> tuple[Cells, list[Record]]:
    """The names of the columns, and the records that were read for it; titles above the names are left out."""
    held: list[Record] = []
    for record in islice(records, _TITLE_ROWS):
        held.append(record)
        if _names_columns(record[2]) and (len(held) == 1 or _is_wide(record[2])):
            return record[2], []
    return (held[0][2], held[1:]) if held else ([], [])


def _is_wide(cells: Cells) -> bool:
    return isinstance(cells, list) and len(cells) > 1


def _names_columns(cells: Cells) -> bool:
    """Whether several cells are filled, or the only one has a usual name: else it is the title of a report."""
    if isinstance(cells, InvalidRecord) or len(cells) < 2:
        return True
    filled = [cell for cell in cells if cell.strip()]
    return len(filled) > 1 or bool(match_columns(filled, {}, COLUMNS))


def named_cells(table: Table) -> Iterator[dict[str, str] | InvalidRecord]:
    """The records by the names of the columns; of those with the same name the first counts."""
    places: dict[str, int] = {}
    for place, name in enumerate(table.names):
        places.setdefault(name, place)
    for _number, _raw, cells in table.records:
        yield cells if isinstance(cells, InvalidRecord) else {name: cells[at] for name, at in places.items()}


def _table(header: list[str], records: Iterable[tuple[int, str, Cells]]) -> Table:
    names = [name.strip() for name in header]
    return Table(names, _checked(names, records))


def _checked(names: list[str], records: Iterable[tuple[int, str, Cells]]) -> Iterator[tuple[int, str, Cells]]:
    width = len(names)
    for number, raw, cells in records:
        if isinstance(cells, InvalidRecord):
            yield number, raw, cells
        elif not raw.isascii() and UNDECODED.search(raw):
            reason = "Some bytes do not fit the encoding: name the right one, or save as UTF-8."
            yield number, raw, InvalidRecord(reason)
        elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
            reason = f"The record has {len(cells)} cells, not {width}: quote what holds a delimiter."
            yield number, raw, InvalidRecord(reason)
        elif cells != names:
            yield number, raw, cells + [""] * (width - len(cells))


def _text_of(value: Any) -> str:
    """A cell as CSV would have it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value).replace("\0", "\ufffd")
