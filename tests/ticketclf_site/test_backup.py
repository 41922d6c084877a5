"""The restore drill: a backup made during writes restores completely into another database."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from classifier.models import Prediction, Ticket
from review.gold import gold_labels
from review.models import Assignment, Decision, GoldLabel
from tests.factories import configure_review, make_prediction, make_ticket, send_to_review
from tests.review.actions import answer
from ticketclf_site.operations import backup

pytestmark = pytest.mark.postgresql

Rows = dict[str, Counter[str]]
GROWN = {"classifier_ticket", "classifier_prediction"}
"""Tables that grow while tickets are stored."""


def rows() -> Rows:
    """All rows by table, without the word index, whose layout depends on the order of writes."""
    rows: Rows = {}
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names() if "_search" not in name]
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of tables
            rows[table] = Counter(map(repr, cursor.fetchall()))
    return rows


@contextmanager
def writing() -> Iterator[None]:
    """Store tickets with predictions from another thread during the block."""
    begun, stopping = threading.Event(), threading.Event()

    def write() -> None:
        while not stopping.is_set():
            with transaction.atomic():
                make_prediction(Ticket.objects.create(text="Written meanwhile", source="meanwhile"))
            begun.set()
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(20)
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.fixture
def programs() -> None:
    """Skips if PostgreSQL's backup programs are missing."""
    if connection.vendor == "postgresql" and not shutil.which("pg_dump"):
        pytest.skip("no pg_dump is installed")


@contextmanager
def another_database(tmp_path: Path) -> Iterator[None]:
    """Use an empty database instead of the tests' own."""
    own = connection.settings_dict["NAME"]
    name = str(tmp_path / "restored.sqlite3") if connection.vendor == "sqlite" else f"{own}_restored"
    if connection.vendor == "postgresql":
        _on_server(f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own
        if connection.vendor == "postgresql":
            _on_server(f'DROP DATABASE "{name}"')


def _on_server(*statements: str) -> None:
    with connection._nodb_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def worked(programs: None, transactional_db: None, catalogue: None, ana: User) -> Rows:
    """All rows of an installation with tickets, a decision and a gold label."""
    configure_review()
    assignments = send_to_review(*(make_ticket(f"Ticket {number} „ü“ 😀") for number in range(5)))
    answer(assignments[0], ana)
    gold_labels.collect_from_decisions()
    assert (GoldLabel.objects.filter(ticket__isnull=False).count(), Decision.objects.count()) == (1, 1)
    return rows()


def test_a_backup_made_during_writes_restores_consistently(worked: Rows, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    with writing():
        call_command("backup", str(file), stdout=StringIO())
    written = Ticket.objects.filter(source="meanwhile").count()
    with another_database(tmp_path):
        backup.restore(file)
        restored = rows()
        predictions = Prediction.objects.filter(ticket__source="meanwhile")
        assert 0 < predictions.count() <= written
        assert predictions.values("ticket").distinct().count() == Ticket.objects.filter(source="meanwhile").count()
        assert Ticket.objects.search("meanwhile").count() == predictions.count()
        for table, before in worked.items():
            assert not before - restored[table], table
            assert table in GROWN or restored[table] == before, table
        damaged = tmp_path / "damaged"
        content = file.read_bytes()
        for cut in (1, 100, 500, len(content) // 2):
            damaged.write_bytes(content[:-cut])
            with pytest.raises(CommandError, match="Nothing was changed: .* not all of it is here"):
                call_command("restore", str(damaged), replace=True)
        damaged.write_bytes(content[:5_000] + b"?" + content[5_001:])
        with pytest.raises(CommandError, match="Nothing was changed: .* is damaged"):
            call_command("restore", str(damaged), replace=True)
        with pytest.raises(CommandError, match="not empty; --replace overwrites"):
            call_command("restore", str(file))
        assert rows() == restored
        # Work continues: existing keys are not reused.
        answer(
            Assignment.objects.open().select_related("ticket").order_by("pk").first(), User.objects.get(username="ana")
        )
        # A later version has added a table, which refers to one of the backup's.
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE later (ticket BIGINT REFERENCES classifier_ticket (id))")
        call_command("restore", str(file), replace=True, stdout=StringIO())
        assert Decision.objects.count() == 1
        assert "later" not in connection.introspection.table_names()


def test_existing_files_and_files_that_are_not_backups_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("Dear diary")
    with pytest.raises(CommandError, match="is not a database backup"):
        call_command("restore", str(file), replace=True)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("restore", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="already exists"):
        call_command("backup", str(file))
    assert file.read_text() == "Dear diary"


@pytest.mark.django_db
def test_a_backup_of_the_other_kind_of_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_bytes(b"PGDMP\x01" if connection.vendor == "sqlite" else b"SQLite format 3\x00")
    with pytest.raises(CommandError, match=f"is not a backup of {connection.vendor}"):
        call_command("restore", str(file), replace=True)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite needs no other programs")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("installed", "message"),
    [("", "is not installed; it comes with"), ("pg_dump (PostgreSQL) 9.6.24", "has version 9, the server")],
)
def test_missing_or_outdated_postgresql_programs_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str, message: str
) -> None:
    if installed:
        program = tmp_path / "pg_dump"
        program.write_text(f"#!/bin/sh\necho '{installed}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    with pytest.raises(CommandError, match=message):
        call_command("backup", str(tmp_path / f"backup-{uuid4()}"))
    assert not list(tmp_path.glob("*backup*"))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite needs no connection")
@pytest.mark.django_db
def test_all_options_of_the_connection_reach_the_backup_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99.1" || { echo "$@" >&2; exit 1; }\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "sslmode", "verify-full")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "sslrootcert", "/etc/ca.pem")
    with pytest.raises(CommandError, match="sslmode=verify-full sslrootcert=/etc/ca.pem") as failure:
        call_command("backup", str(tmp_path / "backup"))
    password = str(connection.settings_dict["PASSWORD"])
    assert not password or password not in str(failure.value)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite is copied by this process")
@pytest.mark.django_db(transaction=True)
def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup.back_up(tmp_path / "backup")
    monkeypatch.setattr(backup, "LONGEST_DUMP", timedelta(0))
    with pytest.raises(backup.BackupError, match="pg_dump did not end within"):
        backup.back_up(tmp_path / "another")
    before = rows()
    with pytest.raises(backup.BackupError, match="cannot be restored"):
        backup._restore_in_transaction(tmp_path / "backup", b"BEGIN;")
    assert rows() == before
