"""Write a Hugging Face dataset, as a folder or as a zip archive. Pure.

    data/train-00000-of-00001.parquet   the training side
    data/test-00000-of-00001.parquet    the benchmark
    manifest.json
    README.md                           the dataset card

The layout is the hub's ("Structure your repository", "Dataset cards"), which `datasets.load_dataset` opens. A side
without records has no file.
"""

import errno
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from review.datasets.formats import parquet
from review.datasets.formats.batching import StreamBuffer
from review.datasets.formats.card import card
from review.datasets.formats.labels import SPLITS
from review.datasets.record import Manifest, Record

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in zip archives, since real times would change the bytes
_FILE = 0o100644 << 16
_MANIFEST, _README = "manifest.json", "README.md"


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the folder as a zip archive, one row group at a time. Raises ValueError if sides are mixed."""
    drain = StreamBuffer()
    with zipfile.ZipFile(drain, "w") as archive:
        for name, chunks in _files(records, manifest):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _FILE
            with archive.open(entry, "w", force_zip64=name.endswith(".parquet")) as file:
                for chunk in chunks:
                    file.write(chunk)
                    yield drain.drain()
    yield drain.drain()


def write_folder(records: Iterable[Record], manifest: Manifest, folder: Path) -> None:
    """Write the folder atomically, replacing an earlier export.

    Raises ValueError if sides are mixed, FileExistsError if the folder holds other files, and OSError.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _check_replaceable(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
        fresh = Path(beside, "fresh")
        for name, chunks in _files(records, manifest):
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(chunks)
        if folder.exists():
            folder.rename(Path(beside, "former"))
        fresh.rename(folder)


def _check_replaceable(folder: Path) -> None:
    """Raises FileExistsError unless only an export's files would be replaced."""
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    ours = {_README, _MANIFEST, *map(_path, SPLITS.values())}
    if folder.is_file() or (held and not {_MANIFEST} <= held <= ours):
        reason = "it holds something that no export wrote; name a new folder, or empty this one"
        raise FileExistsError(errno.EEXIST, reason)


def _files(records: Iterable[Record], manifest: Manifest) -> Iterator[tuple[str, Iterable[bytes]]]:
    paths: dict[str, str] = {}
    for side, group in groupby(records, key=lambda record: record.side):
        split = SPLITS[side]
        if split in paths:
            raise ValueError(f"Records of the {side} side are not together: sort them by side first.")
        paths[split] = _path(split)
        yield paths[split], parquet.stream(group, manifest)
    yield _MANIFEST, [manifest.as_json()]
    yield _README, [card(manifest, paths).encode()]


def _path(split: str) -> str:
    return f"data/{split}-00000-of-00001.parquet"
