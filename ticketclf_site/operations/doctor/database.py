"""The database: whether it answers, is as it should be, has room, and tells the same time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection

from ticketclf_site.observability import log_redaction, readiness
from ticketclf_site.operations.doctor import disk_space
from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn

OLDEST_SQLITE, OLDEST_POSTGRESQL = (3, 35, 0), 140_000
SKEW_SECONDS = 5.0


def examine() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except (DatabaseError, OSError) as error:
        said = f"cannot be reached ({log_redaction.kind_of(error)})."
        yield fail("database", said, "Check DATABASE_URL, and that the server runs and lets this machine in.")
        return
    yield from _on_sqlite() if connection.vendor == "sqlite" else _on_postgresql()
    if missing := readiness.unapplied():
        yield fail("migrations", f"{len(missing)} are missing, {missing[0]} first.", "Run manage.py setup.")
        return
    yield ok("migrations", "all applied.")
    if problems := readiness.missing():
        yield fail("catalogue", problems[0], "Run manage.py setup.")
    else:
        yield ok("catalogue", "loaded.")


def _on_sqlite() -> Iterator[Finding]:
    about = "database"
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield fail(about, f"SQLite {sqlite3.sqlite_version} is too old.", "Install SQLite 3.35 or later.")
    elif (mode := _value("PRAGMA journal_mode")) != "wal":
        # A folder on the network cannot have one, and loses what is written.
        yield fail(about, f"SQLite writes by {mode}, not by a log ahead.", "Put its file on a disk of this machine.")
    else:
        yield ok(about, f"SQLite {sqlite3.sqlite_version}, with a log ahead.")
    yield disk_space.on_disk("room for the database", Path(str(connection.settings_dict["NAME"])).parent)


def _on_postgresql() -> Iterator[Finding]:
    about, version = "database", int(_value("SHOW server_version_num"))
    if version < OLDEST_POSTGRESQL:
        yield fail(about, f"PostgreSQL {version // 10_000} is too old.", "Move to PostgreSQL 14 or later.")
    elif (isolation := _value("SHOW transaction_isolation")) != "read committed":
        to_do = (
            "Set default_transaction_isolation to read committed for this role: retries after conflicts are not made."
        )
        yield fail(about, f"transactions are {isolation}.", to_do)
    else:
        yield ok(about, f"PostgreSQL {version // 10_000}, read committed.")
    size = int(_value("SELECT pg_database_size(current_database())"))
    yield ok("size of the database", f"{size / 2**30:.1f} GiB; the room left is for its own machine to tell.")
    skew = abs((_value("SELECT clock_timestamp()") - datetime.now(UTC)).total_seconds())
    if skew > SKEW_SECONDS:
        yield warn("clocks", f"the database's and this machine's differ by {skew:.0f} s.", "Run NTP on both.")
    else:
        yield ok("clocks", f"apart by {skew:.1f} s.")


def _value(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
