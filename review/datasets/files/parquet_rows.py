"""Read rows from Parquet in small batches. Pure."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from review.datasets.files.errors import UnreadableDataset

_BATCH_BYTES = 16 * 1024 * 1024  # of values, by the file's own metadata
_MOST_ROWS = 500
_MOST_COLUMNS = 1_000
_LARGEST_ROW_GROUP = 4 * 1024**3
_LIMITS = {"thrift_string_size_limit": 64 * 1024**2, "thrift_container_size_limit": 1_000_000}


def rows(stream: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a seekable file. Raises UnreadableDataset if it is damaged or too large."""
    try:
        metadata = pq.ParquetFile(stream, **_LIMITS).metadata
        size = _batch_size(metadata)
        # Pages are read as needed, since a row group may be large. Dictionary values are held once: a few bytes can
        # repeat a long text a million times.
        file = pq.ParquetFile(stream, buffer_size=1024 * 1024, read_dictionary=_repeated(metadata), **_LIMITS)
        for batch in file.iter_batches(batch_size=size, use_threads=False):
            names = batch.schema.names
            for values in zip(*map(_values, batch.columns), strict=True):
                yield dict(zip(names, values, strict=True))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableDataset(f"The Parquet file is damaged or cut short ({reason}): fetch it again.") from error


def _values(column: pa.Array) -> list[Any]:
    if not pa.types.is_dictionary(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]  # pyarrow has no types
    values = column.dictionary.to_pylist()
    return [None if index is None else values[index] for index in column.indices.to_pylist()]


def _repeated(metadata: pq.FileMetaData) -> list[str]:
    """The string columns with dictionary encoding."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    repeated = (
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY" and any("DICTIONARY" in encoding for encoding in column.encodings)
    )
    return list(dict.fromkeys(repeated))


def _batch_size(metadata: pq.FileMetaData) -> int:
    """Rows per batch; fewer if they are large."""
    if metadata.num_columns > _MOST_COLUMNS:
        raise UnreadableDataset(f"The Parquet file has more than {_MOST_COLUMNS:,} columns: leave out some of them.")
    size = _MOST_ROWS
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.total_byte_size > _LARGEST_ROW_GROUP:
            raise UnreadableDataset("A row group of the Parquet file is larger than 4 GiB: write smaller row groups.")
        size = min(size, _BATCH_BYTES * max(group.num_rows, 1) // max(group.total_byte_size, 1))
    return max(size, 1)
