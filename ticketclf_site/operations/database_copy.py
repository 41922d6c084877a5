"""Copy a SQLite database into the PostgreSQL database of DATABASE_URL, table by table.

Each table is copied in one transaction that also notes it in `ticketclf_copy`, so a copy that was interrupted continues
where it stopped. The notes are removed when every table has been counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, connections, models, transaction
from django.db.migrations.executor import MigrationExecutor

from classifier.models import Ticket

SOURCE = "copied_database"
NOTES = "ticketclf_copy"
BATCH = 2_000

Table = type[models.Model]


class CopyError(Exception):
    """The database cannot be copied; the message says what to do."""


def copy_from_sqlite(path: Path) -> Iterator[str]:
    """Copy every table, and yield a line about each. The target has to be empty or partly copied.

    Raises CopyError.
    """
    if connection.vendor != "postgresql":
        raise CopyError("Set DATABASE_URL to the PostgreSQL database that the data is copied to.")
    if not path.is_file():
        raise CopyError(f"{path} is not a file.")
    tables = _tables()
    done = _begin(tables)
    with _source(path), transaction.atomic(using=SOURCE):  # locks out writers, should any still run
        if MigrationExecutor(connections[SOURCE]).migration_plan(_migrations()):
            raise CopyError(f"{path} was written by an older version: run manage.py setup on it with this one.")
        for table in tables:
            name = table._meta.db_table
            rows = done[name] if name in done else _copy(table)
            yield f"{name}: {rows:,} rows{', copied before' if name in done else ''}"
        _finish(tables)


@contextmanager
def _source(path: Path) -> Iterator[None]:
    connections.databases[SOURCE] = connections.databases["default"] | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": settings.SQLITE_OPTIONS,
    }
    try:
        yield
    finally:
        connections[SOURCE].close()
        del connections.databases[SOURCE], connections[SOURCE]


def _migrations() -> list[tuple[str, str]]:
    """The latest migration of each app whose tables are copied."""
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    return [leaf for leaf in leaves if leaf[0] != "procrastinate"]


def _tables() -> list[Table]:
    """All tables but those of background tasks, which differ; a table comes after those that it refers to."""
    tables = [table for table in apps.get_models(include_auto_created=True) if table._meta.app_label != "procrastinate"]
    references = {
        table: {field.related_model for field in table._meta.local_fields if field.related_model not in (None, table)}
        for table in tables
        if not table._meta.proxy
    }
    return list(TopologicalSorter(references).static_order())


def _begin(tables: list[Table]) -> dict[str, int]:
    """The tables that an earlier attempt has copied, with their rows; the first attempt creates them all, empty."""
    if NOTES not in connection.introspection.table_names():
        call_command("migrate", verbosity=0)
        if User.objects.exists() or Ticket.objects.exists():
            raise CopyError("The PostgreSQL database is in use: it has users or tickets. Choose an empty one.")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {NOTES} (name text PRIMARY KEY, rows bigint NOT NULL)")
            for statement in connection.ops.sql_flush(no_style(), [table._meta.db_table for table in tables]):
                cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, rows FROM {NOTES}")  # noqa: S608 - a constant
        return dict(cursor.fetchall())


def _copy(table: Table) -> int:
    """Copy a table and note it; returns the number of rows."""
    fields = table._meta.local_concrete_fields
    quoted = [connection.ops.quote_name(str(field.column)) for field in fields]
    into = f"COPY {connection.ops.quote_name(table._meta.db_table)} ({', '.join(quoted)}) FROM STDIN"
    rows: Any = models.QuerySet(table, using=SOURCE).order_by("pk").values_list(*(field.attname for field in fields))
    number = 0
    with transaction.atomic(), connection.cursor() as cursor:
        with cursor.copy(into) as copy:
            for row in rows.iterator(BATCH):
                copy.write_row([_prepared(*pair) for pair in zip(fields, row, strict=True)])
                number += 1
        cursor.execute(f"INSERT INTO {NOTES} VALUES (%s, %s)", [table._meta.db_table, number])  # noqa: S608
    return number


def _prepared(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _finish(tables: list[Table]) -> None:
    """Compare the number of rows of all tables, set the sequences, and remove the notes. Raises CopyError."""
    for table in tables:
        copied, there = (models.QuerySet(table, using=alias).count() for alias in ("default", SOURCE))
        if copied != there:
            raise CopyError(
                f"{table._meta.db_table} has {copied:,} rows instead of {there:,}. Stop the web app and the workers,"
                f" drop the table {NOTES} and everything else in PostgreSQL, and start again."
            )
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
        cursor.execute(f"DROP TABLE {NOTES}")
    ContentType.objects.clear_cache()
