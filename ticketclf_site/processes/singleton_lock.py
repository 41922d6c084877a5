"""A lock that one process at a time can hold, across all machines that share a database."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection

_KEY = 7_411_893_320  # arbitrary, but used for nothing else in this database
_PAUSE_SECONDS = 0.2


@contextmanager
def singleton_lock() -> Iterator[None]:
    """Wait for the lock and hold it during the block; it is released if the process dies."""
    with _on_postgresql() if connection.vendor == "postgresql" else _on_sqlite():
        yield


@contextmanager
def _on_postgresql() -> Iterator[None]:
    # Polled, because a waiting statement would block CREATE INDEX CONCURRENTLY.
    while not _call("pg_try_advisory_lock"):
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        with suppress(DatabaseError):
            _call("pg_advisory_unlock")


def _call(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_KEY])
        return bool(cursor.fetchone()[0])


@contextmanager
def _on_sqlite() -> Iterator[None]:
    with open(f"{connection.settings_dict['NAME']}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
