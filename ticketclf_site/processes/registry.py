"""Record running processes and their heartbeats in the database, by its clock."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import DatabaseError
from django.db.models.functions import Now

from classifier.leases.heartbeat import beating
from classifier.models import ProcessHeartbeat
from classifier.models.process import ALIVE

RETENTION = timedelta(days=1)


def beat(name: str) -> None:
    """Record a heartbeat of this process (one query, the first time three)."""
    process_name = _process_name(name)
    if not ProcessHeartbeat.objects.filter(name=process_name).update(beat_at=Now()):
        ProcessHeartbeat.objects.get_or_create(name=process_name, defaults={"started_at": Now(), "beat_at": Now()})
        ProcessHeartbeat.objects.filter(beat_at__lt=Now() - RETENTION).delete()


@contextmanager
def registered(name: str) -> Iterator[None]:
    """Send heartbeats from a thread while the block runs, then remove the process."""
    with suppress(DatabaseError):
        beat(name)
    with beating(lambda: beat(name), ALIVE):
        yield
    with suppress(DatabaseError):
        ProcessHeartbeat.objects.filter(name=_process_name(name)).delete()


def _process_name(name: str) -> str:
    return f"{name} {socket.gethostname()} {os.getpid()}"[:200]
