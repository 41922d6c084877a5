"""What only one process may be at, on all machines that share a database."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection

_KEY = 7_411_893_320  # nobody else's, within one database
_PAUSE_SECONDS = 0.2


@contextmanager
def alone() -> Iterator[None]:
    """Waits until no other process is in such a block. The lock of one that dies is gone with it."""
    with _on_postgresql() if connection.vendor == "postgresql" else _on_sqlite():
        yield


@contextmanager
def _on_postgresql() -> Iterator[None]:
    # Asked again and again: a statement that waits would hold up the building of an index beside running work.
    while not _asked("pg_try_advisory_lock"):
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        with suppress(DatabaseError):
            _asked("pg_advisory_unlock")


def _asked(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_KEY])
        return bool(cursor.fetchone()[0])


@contextmanager
def _on_sqlite() -> Iterator[None]:
    with open(f"{connection.settings_dict['NAME']}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
