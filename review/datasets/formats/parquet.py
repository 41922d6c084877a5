"""Parquet: the columns of the CSV file with their types, a row group a batch. Pure.

The manifest lies in the file's metadata under the key "ticketclf".
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from review.datasets.formats.batching import StreamBuffer, in_batches
from review.datasets.formats.labels import COLUMNS, PREFIX, columns, table_rows
from review.datasets.record import Manifest, Record

_TYPES = {
    "corrected": pa.bool_(),
    **dict.fromkeys(("share", "model_confidence"), pa.float64()),
    "people": pa.int32(),
    **dict.fromkeys(("category_id", "sentiment_id"), pa.int64()),
}
_KINDS = {"yes_no": pa.bool_(), "several_of": pa.list_(pa.string())}
_NOT_REPEATED = ("key", "text", "labelled_at", "model_confidence")


def schema_for(manifest: Manifest) -> pa.Schema:
    """The columns with their types; an attribute's type follows its kind."""
    kinds = {f"{PREFIX}{attribute.key}": attribute.kind for attribute in manifest.attributes}
    types = _TYPES | {name: _KINDS.get(kind, pa.string()) for name, kind in kinds.items()}
    return pa.schema([(name, types.get(name, pa.string())) for name in columns(manifest)])


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a row group at a time."""
    schema = schema_for(manifest).with_metadata({"ticketclf": manifest.as_json()})
    repeated = [name for name in COLUMNS if name not in _NOT_REPEATED]
    drain = StreamBuffer()
    with pq.ParquetWriter(drain, schema, compression="snappy", use_dictionary=repeated) as writer:
        for batch in in_batches(records):
            values = zip(*table_rows(batch, manifest), strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield drain.drain()
    yield drain.drain()
