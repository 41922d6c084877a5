"""Renewing a claim for as long as the work lasts, so that it runs out soon after the process that holds it dies."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import DatabaseError, connection


@contextmanager
def beating(renew: Callable[[], object], lease: timedelta) -> Iterator[None]:
    """Calls `renew` three times a lease, in a thread of its own, for as long as the block runs."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(lease.total_seconds() / 3):
                with suppress(DatabaseError):  # a busy or full database: the next renewal may still be in time
                    renew()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
