"""A whole database into one file, while it is in use, and back.

SQLite is copied page by page by its own online backup; PostgreSQL by its own programs, `pg_dump` and `pg_restore`,
which have to be at least as new as the server. Either way the file holds one moment.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader

SQLITE, POSTGRESQL = b"SQLite format 3\x00", b"PGDMP"


class CannotBackUp(Exception):
    """Why a backup cannot be made or used, and what to do."""


def back_up(path: Path) -> None:
    """Write the database as it is at one moment to a file that is not there yet. Raises CannotBackUp, OSError."""
    if path.exists():
        raise CannotBackUp(f"{path} is there already; choose another name.")
    with _aside(path) as draft:
        if connection.vendor == "sqlite":
            with closing(_opened(_file())) as source, closing(sqlite3.connect(draft)) as copy:
                # In one go: it reads one moment, and writers go on beside their log. In parts it would begin anew with
                # every write.
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
        else:
            _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={draft}", _url())


def restore(path: Path, *, replace: bool = False) -> None:
    """Make the database what the file holds, all of it or nothing; where it is not empty, only to `replace` it.

    Raises CannotBackUp.
    """
    kind = _kind(path)
    if kind != (SQLITE if connection.vendor == "sqlite" else POSTGRESQL):
        raise CannotBackUp(f"{path} is no backup of {connection.vendor}, which DATABASE_URL names.")
    if connection.introspection.table_names() and not replace:
        raise CannotBackUp("The database is not empty; --replace throws away what is in it.")
    connection.close()
    if kind == SQLITE:
        _restore_sqlite(path)
    else:
        _restore_postgresql(path)


def unknown_migrations() -> list[str]:
    """Migrations that the database has had and this program does not know: it was backed up by a newer one."""
    loader = MigrationLoader(connection)
    apps = {app for app, _name in loader.disk_migrations}
    applied = [key for key in loader.applied_migrations if key[0] in apps]
    return [f"{app}.{name}" for app, name in applied if (app, name) not in loader.disk_migrations]


def _kind(path: Path) -> bytes:
    """By its first bytes. Raises CannotBackUp for what is neither."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(SQLITE))
    except OSError as error:
        raise CannotBackUp(f"{path} cannot be read: {error.strerror}.") from error
    for kind in (SQLITE, POSTGRESQL):
        if begins.startswith(kind):
            return kind
    raise CannotBackUp(f"{path} is no backup of a database.")


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A file beside it, which takes its name once it is whole and on the disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=60)


def _restore_sqlite(path: Path) -> None:
    """Written aside and checked; what the database was is gone with the renaming, and its log before that."""
    target = _file()
    with _aside(target) as draft:
        shutil.copyfile(path, draft)
        with closing(sqlite3.connect(draft)) as copy:
            try:
                found = copy.execute("PRAGMA quick_check").fetchone()[0]
            except sqlite3.DatabaseError as error:
                found = str(error)
        if found != "ok":
            raise CannotBackUp(f"{path} is damaged ({found}); take another backup.")
        _end_log(target)


def _end_log(target: Path) -> None:
    """A log that is left beside the file would be taken for the new one's. Raises CannotBackUp while it is in use."""
    if not target.exists():
        return
    with closing(_opened(target)) as old:
        try:
            old.execute("PRAGMA busy_timeout=2000")
            old.execute("PRAGMA locking_mode=EXCLUSIVE")
            old.execute("PRAGMA journal_mode=DELETE")
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise CannotBackUp(f"The database is in use ({error}); stop the web app and the workers first.") from error
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)


def _restore_postgresql(path: Path) -> None:
    _check_version("pg_restore")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        others = cursor.fetchone()[0]
    if others:
        raise CannotBackUp(f"The database is in use by {others} others; stop the web app and the workers first.")
    connection.close()
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run("pg_restore", *options, f"--dbname={_url()}", str(path))


def _url() -> str:
    """Where the database is, as PostgreSQL's programs take it; the password goes by the environment."""
    settings: dict[str, Any] = connection.settings_dict
    parts = {"host": settings["HOST"], "port": settings["PORT"], "user": settings["USER"], "dbname": settings["NAME"]}
    return " ".join(f"{name}='{_escaped(str(value))}'" for name, value in parts.items() if value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _run(program: str, *arguments: str) -> None:
    """Raises CannotBackUp with what the program complained of."""
    _check_version(program)
    environment = os.environ | {"PGPASSWORD": str(connection.settings_dict["PASSWORD"])}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        raise CannotBackUp(f"{program} failed: {done.stderr.strip() or done.returncode}")


def _check_version(program: str) -> None:
    """Raises CannotBackUp where the program is missing, or older than the server."""
    if shutil.which(program) is None:
        raise CannotBackUp(f"{program} is not installed; it comes with PostgreSQL's client (postgresql-client).")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    found = re.search(r"\) (\d+)", said)
    connection.ensure_connection()
    served = int(connection.pg_version) // 10_000  # type: ignore[attr-defined]  # of PostgreSQL's wrapper
    if found and int(found[1]) < served:
        versions = f"{program} is of version {found[1]}, the server of {served}"
        raise CannotBackUp(f"{versions}; install postgresql-client-{served}.")
