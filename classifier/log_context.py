"""What the work in hand is about, for whoever writes a log line meanwhile: keys and ids, never a text. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MOST_TICKETS = 20
"""Of a longer list these are named, and how many there are."""

_known: ContextVar[Mapping[str, Any]] = ContextVar("about", default={})  # noqa: B039 - it is never written to


@contextmanager
def log_fields(*, tickets: Iterable[int] = (), **facts: Any) -> Iterator[None]:
    """Lines that are written within the block name these tickets by their keys, and these `facts`."""
    pks = list(tickets)
    if pks:
        facts["tickets"] = pks[:MOST_TICKETS]
    if len(pks) > MOST_TICKETS:
        facts["tickets_count"] = len(pks)
    token = _known.set({**_known.get(), **facts})
    try:
        yield
    finally:
        _known.reset(token)


def current_fields() -> Mapping[str, Any]:
    """What is known now of the work in hand, by name."""
    return _known.get()
