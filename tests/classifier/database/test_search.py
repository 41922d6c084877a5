"""Full-text search finds tickets by their words, whatever is typed."""

import unicodedata
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState
from hypothesis import given
from hypothesis import strategies as st

from classifier.database import search
from classifier.models import Ticket
from tests.factories import make_ticket

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
ON_SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite rebuilds tables")


def matches(typed: str) -> list[str]:
    return list(Ticket.objects.search(typed).order_by("pk").values_list("text", flat=True))


def test_a_ticket_is_found_by_each_of_its_words_and_by_their_beginnings() -> None:
    make_ticket("Where is my Refund for invoice no. 9922?")
    make_ticket("The printer smokes.")
    for typed in ("refund", "REFUND", "ref", "invoice refund", "9922", "no. 9922?", "99"):
        assert matches(typed) == ["Where is my Refund for invoice no. 9922?"], typed


def test_all_words_must_be_there() -> None:
    make_ticket("refund please")
    assert matches("refund invoice") == []
    assert matches("efund") == []


@pytest.mark.parametrize(
    "typed", ["example.org", "ada@example.org", "example", "ORD-2024-99", "2024", "path/to", "foo_bar"]
)
def test_parts_of_addresses_and_numbers_are_words(typed: str) -> None:
    make_ticket("Mail ada@example.org about ORD-2024-99, see https://example.org/path/to?page=1 and foo_bar")
    assert len(matches(typed)) == 1


@pytest.mark.parametrize("typed", ["", "   ", "!!! ... '\"", "()*:&|<->", "\x00", "’", "\ud800"])
def test_input_without_words_filters_nothing(typed: str) -> None:
    make_ticket("anything")
    assert matches(typed) == ["anything"]


@pytest.mark.parametrize(
    "typed",
    ["NEAR(a b)", "AND", "a AND", "OR OR", "NOT x", "text:a", "^a", "a* b*", '"', '"a', "a'", "a:*", "!a & |", "\\"],
)
def test_database_query_syntax_is_searched_as_words(typed: str) -> None:
    make_ticket("nothing of that kind")
    assert matches(f"{typed} zebra") == []


def test_operators_can_be_looked_for() -> None:
    make_ticket("neither this nor that")
    make_ticket("near and not or")
    assert matches("NEAR AND NOT OR") == ["near and not or"]


@pytest.mark.parametrize(
    "text", ["退款 申请", "हिन्दी में", "مرحبا بالعالم", "Straße überall", "ขอเงินคืน", "😀 refund 😀", "ｒｅｆｕｎｄ"]
)
def test_other_scripts_are_found_as_they_are_written(text: str) -> None:
    make_ticket(text)
    make_ticket("plain")
    assert matches(text) == [text]


@given(typed=st.text(max_size=80))
def test_no_input_breaks_a_search(typed: str) -> None:
    list(Ticket.objects.search(typed)[:3])


def test_a_changed_text_is_found_by_its_new_words_only() -> None:
    ticket = make_ticket("first words")
    Ticket.objects.filter(pk=ticket.pk).update(text="other words")
    assert matches("first") == []
    assert matches("other words") == ["other words"]
    ticket.refresh_from_db()
    ticket.customer = "somebody"
    ticket.save()
    assert matches("other") == ["other words"]


def test_tickets_that_are_gone_are_not_found() -> None:
    Ticket.objects.bulk_create([Ticket(text=f"zebra {number}") for number in range(3)])
    Ticket.objects.filter(text="zebra 1").delete()
    assert matches("zebra") == ["zebra 0", "zebra 2"]


def test_a_ticket_imported_twice_is_indexed_once() -> None:
    for _time in range(2):
        tickets = [Ticket(source="file", external_id=str(number), text=f"zebra {number}") for number in range(3)]
        Ticket.objects.bulk_create(tickets, ignore_conflicts=True)
    assert matches("zebra") == ["zebra 0", "zebra 1", "zebra 2"]


def test_the_latest_matches_are_found_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_MATCHES", 2)
    for number in range(4):
        make_ticket(f"zebra {number}")
    assert matches("zebra") == ["zebra 2", "zebra 3"]


def letters() -> Iterator[str]:
    """Every letter, the longest in UTF-8 first."""
    for code in reversed(range(0x110000)):
        if unicodedata.category(chr(code)).startswith("L"):
            yield chr(code)


@pytest.mark.parametrize("between", [" ", "-", ".", "/", "@", "\u00b7", "’"])
def test_no_text_is_too_much_for_the_index(between: str) -> None:
    text = between.join(list(letters()))[:1_000_000]
    ticket = make_ticket("needle " + text)
    assert matches("needle") == [ticket.text]


def test_a_word_of_a_megabyte_can_be_stored() -> None:
    make_ticket("needle " + "x" * 1_000_000)
    assert len(matches("needle")) == 1


@pytest.mark.django_db(transaction=True)
def test_the_migration_indexes_existing_tickets_and_is_reversible() -> None:
    make_ticket("zebra of old")
    search.drop_index(connection)
    make_ticket("zebra of between")
    search.create_index(connection)
    make_ticket("zebra of late")
    assert matches("zebra") == ["zebra of old", "zebra of between", "zebra of late"]


@ON_SQLITE
@pytest.mark.django_db(transaction=True)
def test_a_rebuilt_table_is_still_searchable() -> None:
    """Migrations that rebuild the table lose its triggers; tickets stored meanwhile are indexed later."""
    make_ticket("zebra of old")
    field = models.CharField(max_length=253, blank=True)
    with connection.schema_editor() as editor:
        state = ProjectState.from_apps(Ticket._meta.apps)
        changed = state.clone()
        migrations.AlterField("ticket", "customer", field).state_forwards("classifier", changed)
        before, after = state.apps.get_model("classifier", "Ticket"), changed.apps.get_model("classifier", "Ticket")
        editor.alter_field(before, before._meta.get_field("customer"), after._meta.get_field("customer"))
    make_ticket("zebra of between")
    assert matches("zebra") == ["zebra of old"]
    call_command("migrate", verbosity=0)
    make_ticket("zebra of late")
    assert matches("zebra") == ["zebra of old", "zebra of between", "zebra of late"]
