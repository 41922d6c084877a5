"""CSV after RFC 4180, for spreadsheets and data frames. Pure.

After the record's fields come three columns that training tools ask for: `category_id` and `sentiment_id`, the labels'
numbers from 0 (see `labels`), and `split`, "train" or "test".

A spreadsheet would run a cell that begins like a formula, and a ticket's text is a stranger's: such a cell gets an
apostrophe before it, and so does one that begins with apostrophes and then like a formula, so that reading always
takes exactly one away. Signs of full width count, and so do a tab and a line's end (OWASP, "CSV Injection").
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
    """The cell as it may stand in a spreadsheet."""
    return f"'{cell}" if cell.startswith(_SUSPICIOUS) and _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """The cell that `defused` made this one of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a batch of lines at a time, after the line that names the columns."""
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
