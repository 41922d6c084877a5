"""Read rows from CSV. Pure."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.csv_records import CsvRecords, sniff_delimiter
from classifier.ingest.readers.text_lines import UNDECODED, DamagedFile, open_lines
from review.datasets.files.errors import UnreadableDataset
from review.datasets.formats.csv_columns import unescape_formula
from review.datasets.formats.labels import COLUMNS

_NO_TEXT = re.compile(f"[\0-\x08\x0e-\x1f\x7f\ufffd]|{UNDECODED.pattern}")
"""Characters that occur in binary files, but not in a line of column names."""


def rows(stream: BinaryIO) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the rows of a table whose first line names the columns; encoding and delimiter are detected.

    Raises UnreadableFile, and UnreadableDataset if the first line is unusable or the file is truncated.
    """
    lines = open_lines(stream, None)
    try:
        number, first = next(((n, line) for n, line in enumerate(lines, 1) if not line.isspace()), (0, ""))
        if not first:
            return
        if _NO_TEXT.search(first):
            raise UnreadableDataset(
                "The file's format is unknown: provide CSV or JSON lines in UTF-8, or an export from here."
            )
        table = CsvRecords(chain((first,), lines), sniff_delimiter(first), number)
        records = iter(table)
        names = _names(next(records)[2])
        table.width = len(names)
        # Only our own exports have escaped formulas.
        ours = set(COLUMNS) <= set(names)
        for _, raw, cells in records:
            yield _row(names, raw, cells, ours)
    except DamagedFile as cut:
        raise UnreadableDataset(str(cut)) from cut


def _names(cells: list[str] | InvalidRecord) -> list[str]:
    if isinstance(cells, InvalidRecord):
        raise UnreadableDataset(f"The first line, which names the columns, cannot be read. {cells}")
    names = [name.strip() for name in cells]
    folded = [name.casefold() for name in names if name]
    if twice := [name for name in dict.fromkeys(folded) if folded.count(name) > 1]:
        raise UnreadableDataset(f"The first line names {quoted_list(twice)} more than once: rename one of them.")
    return names


def _row(names: list[str], raw: str, cells: list[str] | InvalidRecord, ours: bool) -> Mapping[str, Any] | InvalidRecord:
    if isinstance(cells, InvalidRecord):
        return cells
    if not raw.isascii() and UNDECODED.search(raw):
        return InvalidRecord("Some bytes do not fit the encoding: save the file as UTF-8.")
    if any(cell.strip() for cell in cells[len(names) :]):
        return InvalidRecord(f"The record has {len(cells)} cells, not {len(names)}: quote what holds a delimiter.")
    cells += [""] * (len(names) - len(cells))
    return dict(zip(names, map(unescape_formula, cells) if ours else cells, strict=False))
