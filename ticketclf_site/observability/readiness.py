"""Whether this process can serve: what is missing, in words that name no secret."""

from __future__ import annotations

from functools import lru_cache

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from classifier.models import Category, Gate


def missing() -> list[str]:
    """What has to be there before requests are served, and is not (two queries once all is well)."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, OSError):
        return ["The database cannot be reached."]
    try:
        return _missing_in_database()
    except DatabaseError:
        return ["The database does not answer as it should; see the log of its server."]


def _missing_in_database() -> list[str]:
    if _behind():
        return ["Migrations are missing: run manage.py setup."]
    if not Gate.objects.filter(pk=1).exists() or not Category.objects.active().exists():
        return ["The catalogue is not loaded: run manage.py setup."]
    return []


def unapplied() -> list[str]:
    """The names of migrations that this code has and the database has not."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


class _Behind(Exception):
    """Raised rather than returned, so that it is not kept: only having caught up lasts."""


def _behind() -> bool:
    try:
        _caught_up()
    except _Behind:
        return True
    return False


@lru_cache(maxsize=1)
def _caught_up() -> None:
    """Looked at until all is applied: neither this code nor the database goes back while the process runs."""
    if unapplied():
        raise _Behind
