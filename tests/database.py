"""Restore the test database, which contains the catalogue, after tests that commit."""

import sqlite3
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from psycopg.sql import SQL, Composed, Identifier, Literal

Restore = Callable[[], None]


def snapshot() -> Restore:
    """Remember all rows and sequences of the test database, and return a function that restores them."""
    return _on_postgresql() if connection.vendor == "postgresql" else _on_sqlite()


def _on_sqlite() -> Restore:
    """Copies pages, which takes milliseconds."""
    connection.ensure_connection()
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    connection.connection.backup(copy)

    def restore() -> None:
        connection.ensure_connection()
        copy.backup(connection.connection)

    return restore


def _on_postgresql() -> Restore:
    """Copies the rows of tables that have any; truncating a hundred tables takes far longer."""
    tables = [table for (table,) in _query(_TABLES)]
    rows = {table: _copy_out(table) for table in _with_rows(tables)}
    counters = SQL(", ").join(
        SQL("setval({}, {}, {})").format(Literal(name), Literal(last or 1), Literal(last is not None))
        for name, last in _query(_COUNTERS)
    )

    def restore() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for table in _with_rows(tables):
                cursor.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            for table, data in rows.items():
                with cursor.copy(SQL("COPY {} FROM STDIN").format(Identifier(table))) as into:
                    into.write(data)
            cursor.execute(SQL("SELECT {}").format(counters))

    return restore


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1 DESC"
"""In reverse order, so that procrastinate's jobs are deleted after the rows that refer to them."""

_COUNTERS = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"


def _with_rows(tables: list[str]) -> list[str]:
    statement = SQL(" UNION ALL ").join(
        SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(Literal(table), Identifier(table)) for table in tables
    )
    return [table for (table,) in _query(statement)]


def _copy_out(table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(SQL("COPY {} TO STDOUT").format(Identifier(table))) as rows:
        return b"".join(rows)


def _query(statement: str | Composed) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
