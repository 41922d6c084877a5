"""Heartbeats of the running processes, by the database's clock."""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

ALIVE = timedelta(seconds=60)
"""A process without a heartbeat for this long has stopped or hangs."""


class ProcessHeartbeatQuerySet(models.QuerySet["ProcessHeartbeat"]):
    def alive(self) -> "ProcessHeartbeatQuerySet":
        return self.filter(beat_at__gte=Now() - ALIVE)


class ProcessHeartbeat(models.Model):
    name = models.CharField(max_length=200, unique=True, help_text="Kind of process, machine and process ID.")
    started_at = models.DateTimeField(default=timezone.now)
    beat_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = ProcessHeartbeatQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
