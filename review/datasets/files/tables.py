"""Read rows from CSV and spreadsheets. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.formulas import unescape_formula
from classifier.ingest.readers.tables import Table, csv_table, named_cells, sheet_table
from classifier.ingest.readers.text_lines import UNDECODED, DamagedFile, TextLines
from review.datasets.files.errors import UnreadableDataset
from review.datasets.formats.labels import COLUMNS
from review.datasets.parsing import LABEL_COLUMNS

_NO_TEXT = re.compile(f"[\0-\x08\x0e-\x1f\x7f\ufffd]|{UNDECODED.pattern}")
"""Characters that occur in binary files, but not in a line of column names."""


def rows(text: TextLines) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the rows of a CSV file whose first line names the columns; the delimiter is detected.

    Raises UnreadableFile, and UnreadableDataset if the first line is unusable or the file is truncated.
    """
    try:
        yield from _rows(csv_table(iter(text)))
    except DamagedFile as cut:
        raise UnreadableDataset(str(cut)) from cut


def sheet_rows(stream: BinaryIO) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the rows of the first sheet of a spreadsheet. Raises UnreadableFile and UnreadableDataset."""
    return _rows(sheet_table(stream))


def _rows(table: Table) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    names = table.names
    if twice := [name for name in dict.fromkeys(names) if name.casefold() in LABEL_COLUMNS and names.count(name) > 1]:
        raise UnreadableDataset(f"The first line names {quoted_list(twice)} more than once: rename one of them.")
    if _NO_TEXT.search("".join(names)):
        raise UnreadableDataset(
            "The file's format is unknown: provide CSV or JSON lines in UTF-8, or an export from here."
        )
    # Only our own exports have escaped formulas.
    ours = set(COLUMNS) <= set(names)
    for cells in named_cells(table):
        if ours and not isinstance(cells, InvalidRecord):
            yield {name: unescape_formula(cell) for name, cell in cells.items()}
        else:
            yield cells
