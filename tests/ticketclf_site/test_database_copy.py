"""From SQLite to PostgreSQL: everything arrives, also after an interruption, and nothing in use is overwritten."""

from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from classifier.models import Gate, Ticket, Vector
from review.models import GoldLabel
from tests.installations import DATABASE, Installation
from tests.ticketclf_site.test_backup import another_database

TEXT = "Ticket „ü“ 😀\twith a tab\\, and a\nsecond line"
LEFT_OUT = {"django_migrations", "sqlite_sequence"}


@pytest.fixture
def source(installation: Installation) -> Installation:
    """A SQLite database with a user, tickets and a vector besides what `setup` loads."""
    installation.query(
        "insert into auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name,"
        " email, date_joined) values (7, 'ana', 'x', 0, 0, 1, '', '', '', '2026-01-02 03:04:05.678901')"
    )
    installation.query(
        "insert into auth_user_groups (user_id, group_id) select 7, id from auth_group where name = 'Agent'"
    )
    for number in range(3):
        installation.query(
            "insert into classifier_ticket (source, external_id, text, customer, channel, language, received_at, state,"
            " attempts, sealed) values ('app', ?, ?, '', '', '', '2026-01-02 03:04:05', 'new', 0, 0)",
            str(number),
            TEXT,
        )
    installation.query(
        "insert into classifier_vector (digest, encoder, \"values\") values ('a', 'b', ?)", b"\0\xff\t\\N"
    )
    return installation


def counts_in(installation: Installation) -> dict[object, object]:
    """Rows by table."""
    tables = [name for (name,) in installation.query("select name from sqlite_master where type = 'table'")]
    ours = [name for name in tables if "_search" not in str(name) and "django_task" not in str(name)]
    return {name: installation.query(f'select count(*) from "{name}"')[0][0] for name in {*ours} - LEFT_OUT}  # noqa: S608


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="copies to PostgreSQL")
def test_everything_is_copied_although_the_first_attempt_fails(source: Installation, tmp_path: Path) -> None:
    expected = counts_in(source)
    file = str(source.folder / DATABASE)
    with another_database(tmp_path):
        target = {
            name: str(connection.settings_dict[name.upper()]) for name in ("user", "password", "host", "port", "name")
        }
        address = f"{target['user']}:{target['password']}@{target['host']}:{target['port']}/{target['name']}"
        source.environment["DATABASE_URL"] = f"postgresql://{address}"
        source.query("alter table review_audit rename to elsewhere")
        assert "no such table: review_audit" in source.run("copy_from_sqlite", file, fails=True)[1]
        source.query("alter table elsewhere rename to review_audit")
        output, _errors = source.run("copy_from_sqlite", file)
        assert "classifier_ticket: 3 rows, copied before" in output
        assert "review_audit: 0 rows\n" in output
        copied = Counter({name: count for name, count in expected.items() if f"{name}: {count:,} rows" in output})
        assert copied == expected
        assert list(Ticket.objects.order_by("pk").values_list("text", "external_id")) == [(TEXT, n) for n in "012"]
        assert bytes(Vector.objects.get().values) == b"\0\xff\t\\N"
        ana = User.objects.get()
        assert ana.has_perm("review.add_decision")
        assert ana.date_joined.isoformat() == "2026-01-02T03:04:05.678901+00:00"
        assert GoldLabel.objects.count() == 5
        assert Gate.current().primary.provider.name
        assert Ticket.objects.search("second").count() == 3
        assert Ticket.objects.create(text="Another").pk == 4
        assert "ticketclf_copy" not in connection.introspection.table_names()


@pytest.mark.postgresql
@pytest.mark.django_db
def test_what_cannot_be_copied_is_refused(tmp_path: Path, ana: User) -> None:
    (tmp_path / "file").touch()
    on_postgresql = {"missing": "is not a file", "file": "it has users or tickets"}
    for name, message in on_postgresql.items():
        with pytest.raises(CommandError, match=message if connection.vendor == "postgresql" else "Set DATABASE_URL"):
            call_command("copy_from_sqlite", str(tmp_path / name), stdout=StringIO())
