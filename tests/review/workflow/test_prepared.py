"""A prepared query answers as the queryset it was made of."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from classifier.models import Prediction, Ticket
from review.models import Assignment
from review.workflow.prepared import Columns, Prepared, rows
from tests.factories import configure_review, hold, make_ticket

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def build(least: int, source: str, after: Any) -> QuerySet[Ticket]:
    wanted = Ticket.objects.filter(pk__gte=least, source=source, received_at__gt=after, attempts=0)
    return wanted.order_by("-pk").select_for_update()[:5]


def test_it_answers_for_other_values_than_it_was_made_with() -> None:
    prepared: Prepared[Ticket] = Prepared(build, least=int, source=str, after=type(timezone.now()))
    now = timezone.now()
    old = make_ticket("old", received_at=now - timedelta(days=2))
    tickets = [make_ticket(f"number {number}", source="ab"[number % 2], received_at=now) for number in range(6)]
    for source in ("a", "b", "' OR 1=1", "nothing"):
        for after in (now - timedelta(days=9), now - timedelta(seconds=1), now):
            for least in (0, old.pk, tickets[3].pk, tickets[5].pk + 1):
                with transaction.atomic():
                    expected = list(build(least, source, after))
                    assert prepared(least=least, source=source, after=after) == expected


def test_tuples_are_as_the_database_gives_them() -> None:
    prepared: Prepared[Ticket] = Prepared(
        lambda pk: Ticket.objects.filter(pk=pk).values_list("text", "attempts"),
        pk=int,
    )
    assert prepared.tuples(pk=make_ticket("as it is", attempts=3).pk) == [("as it is", 3)]


def test_rows_are_whole(django_assert_num_queries: Any) -> None:
    prepared: Prepared[Ticket] = Prepared(lambda pk: Ticket.objects.filter(pk=pk), pk=int)
    ticket = make_ticket("as it is", customer="c")
    with django_assert_num_queries(1):
        (row,) = prepared(pk=ticket.pk)
        assert (row.text, row.customer, row.received_at) == ("as it is", "c", ticket.received_at)


@pytest.mark.parametrize("constant", ["it's", "100%", "%s", "%%s", "back\\slash", "{0}"])
def test_constants_are_part_of_the_statement(constant: str) -> None:
    prepared: Prepared[Ticket] = Prepared(lambda pk: Ticket.objects.filter(source=constant, pk=pk), pk=int)
    ticket, other = make_ticket("this", source=constant), make_ticket("that", source="another")
    assert prepared.statement(pk=1)[1] == [1]
    assert (prepared(pk=ticket.pk), prepared(pk=other.pk)) == ([ticket], [])


def test_what_is_deferred_stays_so(django_assert_num_queries: Any) -> None:
    prepared: Prepared[Ticket] = Prepared(lambda pk: Ticket.objects.defer("text").filter(pk=pk), pk=int)
    (row,) = prepared(pk=make_ticket("long").pk)
    assert row.get_deferred_fields() == {"text"}
    with django_assert_num_queries(1):
        assert row.text == "long"


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("model", [Ticket, Assignment, Prediction])
def test_values_are_those_of_python(model: Any) -> None:
    """Times, truth and JSON come from the database in other forms."""
    configure_review()
    hold(make_ticket("one two", due_at=timezone.now()), words=[[0, 3]])
    columns: Columns[Any] = Columns(model)
    sql = f"SELECT {columns.of('r')}, 1, 'beside' FROM {model._meta.db_table} r WHERE id > %s"  # noqa: S608
    ((found, beside),) = columns.objects_and_more(sql, [0])
    expected = model.objects.get()
    assert {name: getattr(found, name) for name in vars(expected) if name != "_state"} == {
        name: value for name, value in vars(expected).items() if name != "_state"
    }
    assert (beside, found._state.adding, found._state.db) == ((1, "beside"), False, "default")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps statements by itself")
def test_the_server_plans_a_statement_once() -> None:
    prepared: Prepared[Ticket] = Prepared(lambda pk: Ticket.objects.filter(source="once", pk=pk), pk=int)
    for pk in range(10):
        prepared(pk=pk)
    planned = "SELECT generic_plans > 0 FROM pg_prepared_statements WHERE strpos(statement, %s) > 0"
    assert rows(planned, ["'once'"]) == [(True,)]
