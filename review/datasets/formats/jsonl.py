"""JSON lines: one object a record, with the record's fields by their names. Pure."""

import json
from collections.abc import Iterable, Iterator

from review.datasets.formats.batching import in_batches
from review.datasets.record import Manifest, Record

encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
"""A value as JSON, its letters as they are; json.dumps would make an encoder for every call that asks so."""


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a batch of lines at a time."""
    fields = Record._fields
    for batch in in_batches(records):
        lines = [encode_json(dict(zip(fields, record, strict=True))) for record in batch]
        yield "\n".join((*lines, "")).encode()
