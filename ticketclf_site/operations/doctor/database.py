"""Check the database: connection, version, migrations, disk space and clock."""

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


def check_database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except (DatabaseError, OSError) as error:
        summary = f"cannot be reached ({log_redaction.exception_kind(error)})."
        yield fail(
            "database", summary, "Check DATABASE_URL, that the server is running and that it accepts this machine."
        )
        return
    yield from _on_sqlite() if connection.vendor == "sqlite" else _on_postgresql()
    if missing := readiness.unapplied():
        yield fail("migrations", f"{len(missing)} not applied, starting with {missing[0]}.", "Run manage.py setup.")
        return
    yield ok("migrations", "all applied.")
    if problems := readiness.missing():
        yield fail("catalogue", problems[0], "Run manage.py setup.")
    else:
        yield ok("catalogue", "loaded.")


def _on_sqlite() -> Iterator[Finding]:
    check = "database"
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield fail(check, f"SQLite {sqlite3.sqlite_version} is too old.", "Install SQLite 3.35 or later.")
    elif (mode := _value("PRAGMA journal_mode")) != "wal":
        # Network file systems do not support WAL, and lose writes.
        yield fail(check, f"SQLite uses journal mode {mode} instead of WAL.", "Move its file to a local disk.")
    else:
        yield ok(check, f"SQLite {sqlite3.sqlite_version}, WAL.")
    yield disk_space.check_disk_space("disk space for the database", Path(str(connection.settings_dict["NAME"])).parent)


def _on_postgresql() -> Iterator[Finding]:
    check, version = "database", int(_value("SHOW server_version_num"))
    if version < OLDEST_POSTGRESQL:
        yield fail(check, f"PostgreSQL {version // 10_000} is too old.", "Upgrade to PostgreSQL 14 or later.")
    elif (isolation := _value("SHOW transaction_isolation")) != "read committed":
        action = (
            "Set default_transaction_isolation to read committed for this role; serialization failures are not retried."
        )
        yield fail(check, f"transaction isolation is {isolation}.", action)
    else:
        yield ok(check, f"PostgreSQL {version // 10_000}, read committed.")
    size = int(_value("SELECT pg_database_size(current_database())"))
    yield ok("database size", f"{size / 2**30:.1f} GiB; check free space on the database server.")
    skew = abs((_value("SELECT clock_timestamp()") - datetime.now(UTC)).total_seconds())
    if skew > SKEW_SECONDS:
        yield warn("clocks", f"the database and this machine differ by {skew:.0f} s.", "Run NTP on both.")
    else:
        yield ok("clocks", f"the database and this machine differ by {skew:.1f} s.")


def _value(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
