"""Write files atomically; devices, pipes and standard output are written as they are."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STANDARD_OUTPUT = Path("-")


def is_stream(path: Path) -> bool:
    """Whether what is written there goes elsewhere at once, so that nothing can stand beside it."""
    streams = ("/dev/std", "/dev/fd/", "/proc/")  # which may lead to a plain file that is not ours to replace
    return path == STANDARD_OUTPUT or str(path).startswith(streams) or _is_special(path)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def atomic_output(path: Path) -> Iterator[BinaryIO]:
    """A file to write into. A plain one is there when all of it is written, and not before; raises OSError."""
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
