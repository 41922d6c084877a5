"""Write CSV (RFC 4180) for spreadsheets and data frames. Pure.

Three columns for training tools follow the record's fields: `category_id` and `sentiment_id`, the labels' numbers from
0 (see `labels`), and `split`, "train" or "test".

Spreadsheets run cells that begin like a formula, and ticket texts are untrusted. Such cells are escaped with an
apostrophe, even if they already begin with apostrophes, so that reading always removes exactly one. Full-width signs,
tabs and line ends count too (OWASP, "CSV Injection").
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator

from review.datasets.formats.batching import in_batches
from review.datasets.formats.labels import SPLITS, category_names, label_numbers, sentiment_names
from review.datasets.record import Manifest, Record

COLUMNS = (*Record._fields, "category_id", "sentiment_id", "split")

_BEGINNINGS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(f"'*[{re.escape(_BEGINNINGS)}]")
_SUSPICIOUS = ("'", *_BEGINNINGS)


def escape_formula(cell: str) -> str:
    """Prefix an apostrophe to a cell that a spreadsheet would run as a formula."""
    return f"'{cell}" if cell.startswith(_SUSPICIOUS) and _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Undo `escape_formula`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the header, then the file in batches of lines."""
    yield _lines([COLUMNS])
    categories, sentiments = label_numbers(category_names(manifest)), label_numbers(sentiment_names(manifest))
    for batch in in_batches(records):
        yield _lines(
            (
                *(escape_formula(value) if type(value) is str else value for value in record),
                categories.get(record.category, ""),
                sentiments.get(record.sentiment, ""),
                SPLITS[record.side],
            )
            for record in batch
        )


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
