"""Context for log lines about the current work: keys and ids, never texts. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MOST_TICKETS = 20
"""Of a longer list these are named, and how many there are."""

_known: ContextVar[Mapping[str, Any]] = ContextVar("about", default={})  # noqa: B039 - it is never written to


@contextmanager
def log_fields(*, tickets: Iterable[int] = (), **facts: Any) -> Iterator[None]:
    """Add ticket keys and `facts` to every log line written within the block."""
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
    """The current context, by name."""
    return _known.get()
