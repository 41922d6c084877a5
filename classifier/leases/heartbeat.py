"""Repeats a heartbeat in the background, so that a dead process is noticed soon."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection

logger = logging.getLogger(__name__)


@contextmanager
def beating(beat: Callable[[], object], lifetime: timedelta) -> Iterator[None]:
    """Call `beat` three times per lifetime in a thread while the block runs."""
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(beat, lifetime, done), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(beat: Callable[[], object], lifetime: timedelta, done: threading.Event) -> None:
    pause = usual = lifetime.total_seconds() / 3
    try:
        while not done.wait(pause):
            try:
                beat()
                pause = usual
            except Exception:
                # For example a busy or full database, or a lost connection, which the next beat opens again.
                logger.warning("A heartbeat failed, and is tried again.", exc_info=True)
                connection.close()
                pause = usual / 10
    finally:
        connection.close()
