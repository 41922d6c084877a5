"""Prints the URL of a PostgreSQL server for tests, starting one if none answers; `--stop` stops the one started."""

import getpass
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(tempfile.gettempdir()) / f"ticketclf-postgres-{os.getuid()}"
PORT = 54329
CANDIDATES = [
    os.environ.get("TEST_DATABASE_URL", ""),
    f"postgresql://{getpass.getuser()}@127.0.0.1:5432/postgres",
    "postgresql://postgres@127.0.0.1:5432/postgres",
    "postgresql://postgres:postgres@127.0.0.1:5432/postgres",
    f"postgresql://postgres@127.0.0.1:{PORT}/postgres",
]


def main() -> None:
    if "--stop" in sys.argv[1:]:
        _stop()
    elif url := next(filter(_may_create_databases, filter(None, CANDIDATES)), "") or _start():
        print(url)
    else:
        sys.exit(1)


def _may_create_databases(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            row = connection.execute("select rolcreatedb from pg_roles where rolname = current_user").fetchone()
            return bool(row and row[0])
    except psycopg.Error:
        return False


def _start() -> str:
    """Start a server in a temporary folder; returns its URL, or "" if its programs are not installed."""
    programs = _programs()
    if not programs:
        return ""
    HOME.mkdir(mode=0o700, exist_ok=True)
    if os.getuid() == 0:
        shutil.chown(HOME, "postgres")
    data = HOME / "data"
    if not data.exists() and not _run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"]):
        return ""
    options = f"-p {PORT} -c listen_addresses=127.0.0.1 -c unix_socket_directories={HOME} -c fsync=off"
    started = _run([programs / "pg_ctl", "-D", data, "-w", "-l", HOME / "log", "-o", options, "start"])
    return f"postgresql://postgres@127.0.0.1:{PORT}/postgres" if started else ""


def _stop() -> None:
    programs = _programs()
    if programs and (HOME / "data" / "postmaster.pid").exists():
        _run([programs / "pg_ctl", "-D", HOME / "data", "-m", "immediate", "stop"])


def _programs() -> Path | None:
    programs = [
        path for path in (shutil.which("initdb"), *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))) if path
    ]
    return Path(programs[-1]).parent if programs else None


def _run(command: list[object]) -> bool:
    """Run a program, as the user `postgres` if we are root, because the server refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*prefix, *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    main()
