"""Long runs of things in lists of a bounded length. Pure."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in order, in lists of `size`, the last one perhaps shorter; none is empty."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
