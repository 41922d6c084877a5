"""Write CSV (RFC 4180) for spreadsheets and data frames. Pure.

Spreadsheets run cells that begin like a formula, and ticket texts are untrusted. Such cells are escaped with an
apostrophe, even if they already begin with apostrophes, so that reading always removes exactly one. Full-width signs,
tabs and line ends count too (OWASP, "CSV Injection").
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator

from review.datasets.formats.batching import in_batches
from review.datasets.formats.labels import COLUMNS, table_rows
from review.datasets.record import Manifest, Record

_BEGINNINGS = re.escape("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# Where a spreadsheet takes semicolons for delimiters, a cell may begin after each.
_FORMULA = re.compile(f"(^|;[ \"]*)('*[{_BEGINNINGS}])")
_ESCAPED = re.compile(f"(^|;[ \"]*)'('*[{_BEGINNINGS}])")


def escape_formula(cell: object) -> object:
    """Put an apostrophe before each part of a string that a spreadsheet would run as a formula."""
    return _FORMULA.sub(r"\1'\2", cell) if isinstance(cell, str) else cell


def unescape_formula(cell: str) -> str:
    """Undo `escape_formula`."""
    return _ESCAPED.sub(r"\1\2", cell) if "'" in cell else cell


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the header, then the file in batches of lines."""
    yield _lines([COLUMNS])
    for batch in in_batches(records):
        yield _lines(map(escape_formula, row) for row in table_rows(batch, manifest))


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
