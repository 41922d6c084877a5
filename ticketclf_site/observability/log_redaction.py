"""Keep ticket texts and secrets out of logs and error reports.

Exception messages quote data: a ticket, a model's reply, the row that violates a constraint. So only the type and the
frames are logged, plus facts that cannot quote anything: the kind of model failure, the system error, the database's
error code and constraint.
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


def redact_line(text: str) -> str:
    """The first line, truncated, without secrets from the environment, credentials and query strings."""
    first = text.split("\n", 1)[0].split("\r", 1)[0][:LONGEST]
    for value in _secrets():
        first = first.replace(value, "[secret]")
    return _QUERY.sub("?…", _CREDENTIALS.sub("[secret]", first))


def format_exception(error: BaseException) -> str:
    """Frames and `exception_kind` of an exception and its causes, root cause first."""
    chain = list(_chain(error))
    return "\n".join(entry for link in reversed(chain) for entry in (*_frames(link), exception_kind(link)))


def exception_kind(error: BaseException) -> str:
    """The type of an exception, with any facts that quote no data."""
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
    """The database driver's error code and, on PostgreSQL, the constraint."""
    if code := getattr(error, "sqlite_errorname", ""):
        return str(code)
    parts = [getattr(error, "sqlstate", None), getattr(getattr(error, "diag", None), "constraint_name", None)]
    return " ".join(str(part) for part in parts if part)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, its cause, that one's cause and so on."""
    current: BaseException | None = error
    for _number in range(MOST_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _frames(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


def _secrets() -> list[str]:
    """Values of environment variables whose names suggest a secret, longest first."""
    values = {value.strip() for name, value in os.environ.items() if _SECRET.search(name.upper())}
    return sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
