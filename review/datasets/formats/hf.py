"""A folder that `datasets.load_dataset` opens, and the Hugging Face hub shows: on disk, or as one zip archive. Pure.

    data/train-00000-of-00001.parquet   the training side
    data/test-00000-of-00001.parquet    the benchmark
    manifest.json
    README.md                           the dataset card

The layout is the hub's ("Structure your repository", "Dataset cards"). A side without records has no file. The card
comes last, once it is known which sides there are.
"""

import zipfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from review.datasets.manifest import manifest_json
from review.datasets.record import Manifest, Record

from . import parquet
from .batching import Drain
from .card import card
from .labels import SPLITS

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip archive can name: dates would change the bytes
_FILE = 0o100644 << 16


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The folder as a zip archive, a row group at a time. Raises ValueError where sides are mixed."""
    drain = Drain()
    with zipfile.ZipFile(drain, "w") as archive:
        for name, chunks in _files(records, manifest):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _FILE
            with archive.open(entry, "w", force_zip64=name.endswith(".parquet")) as file:
                for chunk in chunks:
                    file.write(chunk)
                    yield drain.taken()
    yield drain.taken()


def write_folder(records: Iterable[Record], manifest: Manifest, folder: Path) -> None:
    """The folder on disk, made where it is missing. Raises ValueError where sides are mixed, and OSError."""
    for name, chunks in _files(records, manifest):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(chunks)


def _files(records: Iterable[Record], manifest: Manifest) -> Iterator[tuple[str, Iterable[bytes]]]:
    paths: dict[str, str] = {}
    for side, group in groupby(records, key=lambda record: record.side):
        split = SPLITS[side]
        if split in paths:
            raise ValueError(f"Records of the {side} side come in two places: sort them by side first.")
        paths[split] = f"data/{split}-00000-of-00001.parquet"
        yield paths[split], parquet.stream(group, manifest)
    yield "manifest.json", [manifest_json(manifest)]
    yield "README.md", [card(manifest, paths).encode()]
