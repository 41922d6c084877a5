"""How the database finds the next ticket among very many: by the index of its order, reading a handful of rows."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from classifier.models import Ticket
from review.models import Seat
from tests.factories import hold, make_ticket, run_desk

WAITING = 20_000


@pytest.fixture
def many(catalogue: None) -> None:
    """So many open seats, written by the database itself."""
    run_desk()
    hold(make_ticket())
    tickets, seats = (", ".join(f"one.{name}" for name in columns(model)) for model in (Ticket, Seat))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO classifier_ticket ({tickets.replace('one.', '')})"  # noqa: S608 - names of columns
            f" SELECT {tickets} FROM classifier_ticket one, {numbers(WAITING)}"
        )
        cursor.execute(
            f"INSERT INTO review_seat (ticket_id, value, due_at, {seats.replace('one.', '')})"  # noqa: S608
            " SELECT ticket.id, (ticket.id * 7919 %% 10007) / 10007.0, ticket.received_at,"
            f" {seats} FROM classifier_ticket ticket, review_seat one WHERE ticket.id <> one.ticket_id",
            [],
        )
        cursor.execute("ANALYZE")


def columns(model: type[Any]) -> list[str]:
    """Quoted; without those that differ from row to row."""
    names = [field.column for field in model._meta.concrete_fields]
    differ = {"id", "ticket_id", "value", *(["due_at"] if model is Seat else [])}
    return [connection.ops.quote_name(name) for name in names if name not in differ]


def numbers(most: int) -> str:
    if connection.vendor == "postgresql":
        return f"generate_series(1, {most})"
    return f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most}) SELECT n FROM s)"  # noqa: S608


def plan(seats: Any) -> str:
    """How the database goes about it, for as many rows as a claim asks for."""
    return str(seats[:1].explain())


@pytest.mark.usefixtures("many")
def test_the_next_ticket_is_found_by_an_index_and_nothing_is_sorted(ana: User) -> None:
    now = timezone.now()
    assert Seat.objects.open().count() == WAITING + 1
    for lane in Seat.Lane.values:
        free = Seat.objects.in_lane(lane).free(now).answerable_by(ana)
        by_value = plan(free.order_by("-value", "pk"))
        by_due = plan(free.filter(due_at__lte=now).order_by("due_at"))
        for found, index in ((by_value, "seat_by_value"), (by_due, "seat_by_due")):
            assert index in found, found
            for costly in ("Seq Scan on review_seat", "SCAN review_seat", "Sort", "TEMP B-TREE"):
                assert costly not in found, found
