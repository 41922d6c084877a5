"""Write CSV (RFC 4180) for spreadsheets and data frames. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator

from classifier.ingest.readers.formulas import escape_formula
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.formats.labels import columns, table_rows
from review.datasets.record import Manifest, Record


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the header, then the file in batches of lines."""
    yield _lines([columns(manifest)])
    for batch in in_batches(records):
        yield _lines(map(_cell, row) for row in table_rows(batch, manifest))


def _cell(value: object) -> object:
    """Several options as a JSON list."""
    return escape_formula(encode_json(value) if isinstance(value, list) else value)


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
