"""The time that all machines agree on, however wrong a clock of theirs may be."""

from datetime import datetime

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone


def now() -> datetime | Now:
    """The database's clock, where it is a server; as an expression, to be compared and stored in a query."""
    return Now() if connection.vendor == "postgresql" else timezone.now()
