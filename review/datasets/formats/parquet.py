"""Parquet: the columns of the CSV file with their types, a row group a batch. Pure.

The manifest lies in the file's metadata under the key "ticketclf".
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from review.datasets.formats.batching import StreamBuffer, in_batches
from review.datasets.formats.labels import SPLITS, category_names, label_numbers, sentiment_names
from review.datasets.manifest import manifest_json
from review.datasets.record import Manifest, Record

_TYPES = {"corrected": pa.bool_(), "people": pa.int32(), "share": pa.float64(), "model_confidence": pa.float64()}
SCHEMA = pa.schema(
    [
        *((name, _TYPES.get(name, pa.string())) for name in Record._fields),
        ("category_id", pa.int64()),
        ("sentiment_id", pa.int64()),
        ("split", pa.string()),
    ]
)
_REPEATED = [name for name in SCHEMA.names if name not in ("key", "text", "labelled_at", "model_confidence")]


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a row group at a time."""
    ids = label_numbers(category_names(manifest)), label_numbers(sentiment_names(manifest))
    schema = SCHEMA.with_metadata({"ticketclf": manifest_json(manifest)})
    drain = StreamBuffer()
    with pq.ParquetWriter(drain, schema, compression="snappy", use_dictionary=_REPEATED) as writer:
        for batch in in_batches(records):
            writer.write_batch(_columns(batch, schema, *ids))
            yield drain.drain()
    yield drain.drain()


def _columns(
    batch: list[Record], schema: pa.Schema, categories: dict[str, int], sentiments: dict[str, int]
) -> pa.RecordBatch:
    columns: list[Iterable[object]] = list(zip(*batch, strict=True))
    columns.append([categories.get(record.category) for record in batch])
    columns.append([sentiments.get(record.sentiment) for record in batch])
    columns.append([SPLITS[record.side] for record in batch])
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)
