"""Write files atomically; write to devices, pipes and standard output directly."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STANDARD_OUTPUT = Path("-")


def is_stream(path: Path) -> bool:
    """Whether the path is a stream, which can have no files beside it."""
    streams = ("/dev/std", "/dev/fd/", "/proc/")  # may point to a regular file that is not ours to replace
    return path == STANDARD_OUTPUT or str(path).startswith(streams) or _is_special(path)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def atomic_output(path: Path) -> Iterator[BinaryIO]:
    """A file to write into; a regular one appears only once it is complete. Raises OSError."""
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif is_stream(path):
        with path.open("wb") as file:
            yield file
    else:
        with _atomic_file(path.resolve()) as file:
            yield file


@contextmanager
def _atomic_file(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
