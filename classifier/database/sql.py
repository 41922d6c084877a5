"""Statements of our own, for the few that every decision waits for and the ORM takes long to put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection


def fetch_rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement gives, as the database has it, so for columns that are plain numbers or strings."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters(values))
        return list(cursor.fetchall())


def parameters(values: Sequence[Any]) -> list[Any]:
    """The values with times in the database's own form, as they are stored."""
    adapt = connection.ops.adapt_datetimefield_value
    return [adapt(value) if isinstance(value, datetime) else value for value in values]
