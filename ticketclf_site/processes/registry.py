"""Processes say that they are alive, in a table that whoever looks after the installation can see."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import DatabaseError
from django.utils import timezone

from classifier.leases.heartbeat import beating
from classifier.models import ProcessHeartbeat
from classifier.models.process import ALIVE

FORGOTTEN = timedelta(days=1)


def beat(name: str) -> None:
    """This process is alive, and is what `name` says (one query, the first time three)."""
    full, now = _full(name), timezone.now()
    if not ProcessHeartbeat.objects.filter(name=full).update(beat_at=now):
        ProcessHeartbeat.objects.get_or_create(name=full)
        ProcessHeartbeat.objects.filter(beat_at__lt=now - FORGOTTEN).delete()


@contextmanager
def alive(name: str) -> Iterator[None]:
    """Says so for as long as the block runs, in a thread of its own; afterwards the process is not missed."""
    with suppress(DatabaseError):
        beat(name)
    with beating(lambda: beat(name), ALIVE):
        yield
    with suppress(DatabaseError):
        ProcessHeartbeat.objects.filter(name=_full(name)).delete()


def _full(name: str) -> str:
    return f"{name} {socket.gethostname()} {os.getpid()}"[:200]
