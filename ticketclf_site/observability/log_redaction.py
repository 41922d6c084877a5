"""What may be told of what went wrong: never what a ticket says, and never a key.

Messages of exceptions quote what was in hand, such as a ticket, a model's reply, or the row that a constraint refused.
So of an exception its type and its frames are told, and of its message only what is a plain fact: the kind of a
model's failure, the system's error, the database's code and constraint.
"""

import os
import re
import traceback
from collections.abc import Iterator
from typing import Any

from django.db import Error as DatabaseError

from classifier.contract.types import ClassifierError

LONGEST = 1_000
MOST_CAUSES = 8

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|DSN|DATABASE_URL")
_SHORTEST_SECRET = 8
_CREDENTIALS = re.compile(r"(?i)\b(bearer|basic)\s+\S+|(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"\?[^\s'\"]+=[^\s'\"]*")


def line(text: str) -> str:
    """The first line of a text, bounded, without secrets of the environment, credentials and query strings."""
    first = text.split("\n", 1)[0].split("\r", 1)[0][:LONGEST]
    for value in _secrets():
        first = first.replace(value, "[secret]")
    return _QUERY.sub("?…", _CREDENTIALS.sub("[secret]", first))


def told(error: BaseException) -> str:
    """An exception and what led to it, the first cause first: frames, and what `kind_of` tells."""
    chain = list(_chain(error))
    return "\n".join(entry for one in reversed(chain) for entry in (*_frames(one), kind_of(one)))


def kind_of(error: BaseException) -> str:
    """The type of an exception, and what of it is no quotation."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    fact = _fact(error)
    return f"{name} ({fact})" if fact else name


def _fact(error: BaseException) -> str:
    if isinstance(error, ClassifierError):
        return error.kind.value
    if isinstance(error, OSError):
        return error.strerror or ""
    if isinstance(error, DatabaseError):
        return _code(error.__cause__)
    return ""


def _code(error: Any) -> str:
    """Of a driver's own exception: the code, and on PostgreSQL the constraint."""
    if code := getattr(error, "sqlite_errorname", ""):
        return str(code)
    parts = [getattr(error, "sqlstate", None), getattr(getattr(error, "diag", None), "constraint_name", None)]
    return " ".join(str(part) for part in parts if part)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it came from, and so on."""
    one: BaseException | None = error
    for _number in range(MOST_CAUSES):
        if one is None:
            return
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _frames(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


def _secrets() -> list[str]:
    """Values of the environment whose names say that they are secret, the longest first."""
    found = {value.strip() for name, value in os.environ.items() if _SECRET.search(name.upper())}
    return sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
