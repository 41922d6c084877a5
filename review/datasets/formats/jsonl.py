"""Write JSON lines: one object per record, with the record's fields. Pure."""

import json
from collections.abc import Iterable, Iterator

from review.datasets.formats.batching import in_batches
from review.datasets.formats.labels import json_fields
from review.datasets.record import Manifest, Record

encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
"""Encodes a value without escaping non-ASCII; json.dumps would create an encoder for every call."""


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the file in batches of lines."""
    for batch in in_batches(records):
        lines = [encode_json(json_fields(record)) for record in batch]
        yield "\n".join((*lines, "")).encode()
