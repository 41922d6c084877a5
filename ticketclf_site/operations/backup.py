"""Back up the database to one consistent file while it is in use, and restore it.

SQLite uses its online backup, PostgreSQL `pg_dump` and `pg_restore`, which must be at least as new as the server.
A line with a digest ends the file, so that a file that was cut or changed is noticed.
"""

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

SQLITE, POSTGRESQL = b"SQLite format 3\x00", b"PGDMP"

LONGEST_DUMP, LONGEST_LOCK_WAIT = timedelta(hours=12), timedelta(minutes=5)
"""For which PostgreSQL's programs may run, or wait for other sessions."""

SEAL = "\nEnd of this ticketclf backup; SHA-256 of all before: {}\n"
SEAL_BYTES = len(SEAL.format("0" * 64))

# Of the current schema, without what belongs to extensions. Later versions may have made more than a backup knows.
_DROP_EVERYTHING = """
SELECT format('DROP TABLE IF EXISTS %s CASCADE', oid::regclass) FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
UNION ALL SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc p
WHERE pronamespace = current_schema()::regnamespace
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (t.typtype = 'e' OR c.relkind = 'c') AND t.typnamespace = current_schema()::regnamespace"""


class BackupError(Exception):
    """A backup cannot be made or restored; the message says what to do."""


def back_up(path: Path) -> None:
    """Write a consistent copy of the database to a new file. Raises BackupError, OSError."""
    if path.exists():
        raise BackupError(f"{path} already exists; choose another name.")
    with _atomic_write(path) as draft:
        if connection.vendor == "sqlite":
            with closing(_connect(_database_file())) as source, closing(sqlite3.connect(draft)) as copy:
                # In a single step: with several, every write in between would restart the backup.
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
        else:
            wait = f"--lock-wait-timeout={LONGEST_LOCK_WAIT // timedelta(milliseconds=1)}"
            _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", wait, f"--file={draft}", _conninfo())
        _seal(draft)


def restore(path: Path, *, replace: bool = False) -> None:
    """Restore the database from the file, completely or not at all; `replace` allows a database that is not empty.

    Raises BackupError.
    """
    kind = _kind(path)
    if kind != (SQLITE if connection.vendor == "sqlite" else POSTGRESQL):
        raise BackupError(f"{path} is not a backup of {connection.vendor}, the database in DATABASE_URL.")
    if connection.introspection.table_names() and not replace:
        raise BackupError("The database is not empty; --replace overwrites it.")
    _check_seal(path)
    connection.close()
    if kind == SQLITE:
        _restore_sqlite(path)
    else:
        _restore_postgresql(path)


def unknown_migrations() -> list[str]:
    """Applied migrations that this version lacks: a newer version made the backup."""
    loader = MigrationLoader(connection)
    apps = {app for app, _name in loader.disk_migrations}
    applied = [key for key in loader.applied_migrations if key[0] in apps]
    return [f"{app}.{name}" for app, name in applied if (app, name) not in loader.disk_migrations]


def _kind(path: Path) -> bytes:
    """SQLITE or POSTGRESQL, by the first bytes. Raises BackupError for other files."""
    try:
        with path.open("rb") as file:
            header = file.read(len(SQLITE))
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
    for kind in (SQLITE, POSTGRESQL):
        if header.startswith(kind):
            return kind
    raise BackupError(f"{path} is not a database backup.")


def _seal(path: Path) -> None:
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256")
        file.write(SEAL.format(digest.hexdigest()).encode())


def _check_seal(path: Path) -> None:
    """Raises BackupError unless the file ends with the digest of what precedes it."""
    digest, left = hashlib.sha256(), path.stat().st_size - SEAL_BYTES
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, 2**20))):
            digest.update(chunk)
            left -= len(chunk)
        if file.read() != SEAL.format(digest.hexdigest()).encode():
            raise BackupError(f"{path} is damaged, or not all of it is here; take another backup.")


@contextmanager
def _atomic_write(path: Path) -> Iterator[Path]:
    """A temporary file next to `path`, renamed to it once complete and synced to disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _database_file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=60)


def _restore_sqlite(path: Path) -> None:
    """Check a copy of the file, then rename it over the database."""
    target = _database_file()
    with _atomic_write(target) as draft:
        shutil.copyfile(path, draft)
        os.truncate(draft, draft.stat().st_size - SEAL_BYTES)
        with closing(sqlite3.connect(draft)) as copy:
            try:
                result = copy.execute("PRAGMA quick_check").fetchone()[0]
            except sqlite3.DatabaseError as error:
                result = str(error)
        if result != "ok":
            raise BackupError(f"{path} is damaged ({result}); take another backup.")
        _remove_wal(target)


def _remove_wal(target: Path) -> None:
    """Remove the old WAL, which SQLite would apply to the new file. Raises BackupError while the database is in use."""
    if not target.exists():
        return
    with closing(_connect(target)) as old:
        try:
            old.execute("PRAGMA busy_timeout=2000")
            old.execute("PRAGMA locking_mode=EXCLUSIVE")
            old.execute("PRAGMA journal_mode=DELETE")
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise BackupError(f"The database is in use ({error}); stop the web app and the workers first.") from error
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)


def _restore_postgresql(path: Path) -> None:
    _check_version("pg_restore")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        if others := cursor.fetchone()[0]:
            raise BackupError(
                f"The database is in use by {others} other connections; stop the web app and the workers first."
            )
        cursor.execute(_DROP_EVERYTHING)
        drops = ";\n".join(
            ["SET client_min_messages = warning", "BEGIN", *(statement for (statement,) in cursor.fetchall()), ""]
        )
    connection.close()
    _restore_in_transaction(path, drops.encode())


def _restore_in_transaction(path: Path, prelude: bytes) -> None:
    """Run these statements and those of the backup; only if all succeed, commit them."""
    read = ["pg_restore", "--no-owner", "--no-privileges", "--file=-", str(path)]
    write = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", _conninfo()]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(read, stdout=subprocess.PIPE, stderr=errors) as source,  # noqa: S603 - ours
        subprocess.Popen(write, stdin=subprocess.PIPE, stderr=errors, env=_environment()) as target,  # noqa: S603 - ours
    ):
        assert source.stdout  # noqa: S101 - is a pipe
        assert target.stdin  # noqa: S101 - is a pipe
        with _time_limit(source, target), suppress(BrokenPipeError), target.stdin:
            target.stdin.write(prelude)
            shutil.copyfileobj(source.stdout, target.stdin)
            if source.wait() == 0:
                target.stdin.write(b"\nCOMMIT;\n")
                target.stdin.close()
                target.wait()
        source.stdout.close()
        if source.wait() or target.wait():
            errors.seek(0)
            reason = errors.read().decode(errors="replace").strip() or f"it was ended, after {LONGEST_DUMP} at most"
            raise BackupError(f"The backup cannot be restored: {reason}")


@contextmanager
def _time_limit(*processes: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Kill the processes if the block takes longer than LONGEST_DUMP."""

    def kill() -> None:
        for process in processes:
            process.kill()

    timer = threading.Timer(LONGEST_DUMP.total_seconds(), kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _conninfo() -> str:
    """The options of the connection without the password, which goes into the environment."""
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} - {"password"}
    parameters: dict[str, Any] = connection.get_connection_params()
    return make_conninfo(**{name: value for name, value in parameters.items() if name in known})


def _environment() -> dict[str, str]:
    password = str(connection.settings_dict["PASSWORD"])
    return os.environ | ({"PGPASSWORD": password} if password else {})


def _run(program: str, *arguments: str) -> None:
    """Raises BackupError with the program's error output."""
    _check_version(program)
    command, seconds = [program, *arguments], LONGEST_DUMP.total_seconds()
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=seconds)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise BackupError(
            f"{program} did not end within {LONGEST_DUMP}; check the database and the network."
        ) from error
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip() or done.returncode}")


def _check_version(program: str) -> None:
    """Raises BackupError if the program is missing or older than the server."""
    if shutil.which(program) is None:
        raise BackupError(f"{program} is not installed; it comes with PostgreSQL's client (postgresql-client).")
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    match = re.search(r"\) (\d+)", output)
    connection.ensure_connection()
    server_version = int(connection.pg_version) // 10_000  # type: ignore[attr-defined]  # of PostgreSQL's wrapper
    if match and int(match[1]) < server_version:
        versions = f"{program} has version {match[1]}, the server {server_version}"
        raise BackupError(f"{versions}; install postgresql-client-{server_version}.")
