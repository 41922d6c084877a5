"""Parquet: the columns of the CSV file with their types, a row group a batch. Pure.

The manifest lies in the file's metadata under the key "ticketclf".
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from review.datasets.formats.batching import StreamBuffer, in_batches
from review.datasets.formats.labels import COLUMNS, table_rows
from review.datasets.record import Manifest, Record

_TYPES = {
    "corrected": pa.bool_(),
    **dict.fromkeys(("share", "model_confidence"), pa.float64()),
    "people": pa.int32(),
    **dict.fromkeys(("category_id", "sentiment_id"), pa.int64()),
}
SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in COLUMNS])
_REPEATED = [name for name in SCHEMA.names if name not in ("key", "text", "labelled_at", "model_confidence")]


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a row group at a time."""
    schema = SCHEMA.with_metadata({"ticketclf": manifest.as_json()})
    drain = StreamBuffer()
    with pq.ParquetWriter(drain, schema, compression="snappy", use_dictionary=_REPEATED) as writer:
        for batch in in_batches(records):
            columns = zip(*table_rows(batch, manifest), strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield drain.drain()
    yield drain.drain()
