"""The database finds the next tickets of a long queue by an index, reading a few rows."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from classifier.models import Ticket
from review.duplicates import incidents
from review.models import Assignment
from tests.factories import configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.postgresql

WAITING = 20_000


@pytest.fixture
def many(catalogue: None) -> None:
    """WAITING open assignments, written in SQL."""
    configure_review()
    send_to_review(make_ticket())
    tickets, assignments = (", ".join(f"base.{name}" for name in columns(model)) for model in (Ticket, Assignment))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO classifier_ticket ({tickets.replace('base.', '')})"  # noqa: S608 - names of columns
            f" SELECT {tickets} FROM classifier_ticket base, {numbers(WAITING)}"
        )
        cursor.execute(
            f"INSERT INTO review_assignment (ticket_id, value, due_at, {assignments.replace('base.', '')})"  # noqa: S608
            " SELECT ticket.id, (ticket.id * 7919 %% 10007) / 10007.0, ticket.received_at,"
            f" {assignments} FROM classifier_ticket ticket, review_assignment base WHERE ticket.id <> base.ticket_id",
            [],
        )
        cursor.execute("ANALYZE")


def columns(model: type[Any]) -> list[str]:
    """Quoted column names, without those that differ between rows."""
    names = [field.column for field in model._meta.concrete_fields]
    differ = {"id", "ticket_id", "value", *(["due_at"] if model is Assignment else [])}
    return [connection.ops.quote_name(name) for name in names if name not in differ]


def numbers(most: int) -> str:
    if connection.vendor == "postgresql":
        return f"generate_series(1, {most})"
    return f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most}) SELECT n FROM s)"  # noqa: S608


def plan(assignments: Any, most: int = 1) -> str:
    """The database's plan for reading this many rows."""
    return str(assignments[:most].explain())


def assert_walks(index: str, plan: str) -> None:
    assert index in plan, plan
    for costly in ("Seq Scan on review_assignment", "SCAN review_assignment", "Sort", "TEMP B-TREE"):
        assert costly not in plan, plan


@pytest.mark.usefixtures("many")
def test_next_ticket_is_found_by_an_index_without_sorting(ana: User) -> None:
    now = timezone.now()
    assert Assignment.objects.open().count() == WAITING + 1
    for lane in Assignment.Lane.values:
        free = Assignment.objects.in_lane(lane).free(now).answerable_by(ana)
        assert_walks("assignment_by_value", plan(free.order_by("-value", "pk")))
        assert_walks("assignment_by_due", plan(free.filter(due_at__lte=now).order_by("due_at")))


@pytest.mark.usefixtures("many")
def test_incidents_are_searched_along_an_index() -> None:
    assert_walks("assignment_by_age", str(incidents.recent_assignments(timezone.now()).explain()))
