"""Whether this process can serve requests, and what is missing; no message names a secret."""

import shutil
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from classifier.models import Category, Gate

FULL_BYTES = 16 * 2**20
"""With less free disk space, forms and uploads are about to fail."""


def missing() -> list[str]:
    """What is missing before requests can be served; empty if nothing is (three queries)."""
    if settings.VAR_DIR.exists() and shutil.disk_usage(settings.VAR_DIR).free < FULL_BYTES:
        return [f"The disk of {settings.VAR_DIR} is full."]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, OSError):
        return ["The database cannot be reached."]
    try:
        return _missing_in_database()
    except DatabaseError:
        return ["The database returns errors; see its server's log."]


def _missing_in_database() -> list[str]:
    if _behind():
        return ["Migrations are not applied: run manage.py setup."]
    if not Gate.objects.filter(pk=1).exists() or not Category.objects.active().exists():
        return ["The catalogue is not loaded: run manage.py setup."]
    return []


def unapplied() -> list[str]:
    """Names of the migrations that have not been applied."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


class _Behind(Exception):
    """Raised, because lru_cache would keep a returned value: only success may be cached."""


def _behind() -> bool:
    try:
        _caught_up()
    except _Behind:
        return True
    return False


@lru_cache(maxsize=1)
def _caught_up() -> None:
    """Checked until all migrations are applied, then never again: nothing unapplies them while the process runs."""
    if unapplied():
        raise _Behind
