"""Frequent queries use an index and read few rows, however large the tables."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

import classifier.tasks
import review.sweep
from classifier.models import Gate, Prediction, Ticket, Verdict
from classifier.pipeline import runner
from review.gold import gold_labels
from review.models import Assignment, Decision, DuplicateGroup, ReviewSettings
from review.specialist import training
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.factories import configure_review, make_ticket

pytestmark = pytest.mark.postgresql

STORED = 16_000
BIG = ("classifier_ticket", "classifier_prediction", "classifier_verdict", "review_decision", "review_assignment")
_RECURSIVE = "WITH RECURSIVE s(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM s LIMIT"
SERIES = {
    "postgresql": f"generate_series(1, {STORED}) n",
    "sqlite": f"({_RECURSIVE} {STORED}) SELECT n FROM s)",  # noqa: S608 - a number
}
UNIQUE = {"postgresql": "gen_random_uuid()", "sqlite": "substr('0000000' || n, -8) || substr(source.key, 9)"}
OWN = {
    "id": "source.id + n",
    "ticket_id": "source.ticket_id + n",
    "prediction_id": "source.prediction_id + n",
    "assignment_id": "source.assignment_id + n",
    "group_id": "source.group_id + n",
    "external_id": "'x' || n",
    "customer": "'c' || n % 50",
}
WAITING = {
    "state": "CASE WHEN n % 50 = 0 THEN 'open' ELSE source.state END",
    "reviewer_id": "CASE WHEN n % 50 = 0 THEN NULL ELSE source.reviewer_id END",
}


@pytest.fixture
def many(embedded_gate: Gate, ana: User) -> int:
    """Thousands of copies of an old ticket, every fiftieth with an open assignment; returns the key of one in the
    middle.
    """
    configure_review()
    Gate.objects.update(threshold=1.0)
    ticket = make_ticket("Where is my invoice?", customer="a@example.org")
    runner.classify_next_batch()
    assignment, prediction = Assignment.objects.select_related("ticket").get(), Prediction.objects.get()
    decisions.decide(assignment, ana, Label(prediction.category, prediction.sentiment), key=uuid4())
    for model in (Ticket, DuplicateGroup, Prediction, Verdict, Assignment, Decision):
        copy(model, OWN | {"key": UNIQUE[connection.vendor]} | (WAITING if model is Assignment else {}))
    Decision.objects.update(created_at=timezone.now() - timedelta(days=9))
    Ticket.objects.filter(pk__gt=ticket.pk).update(state=Ticket.State.AUTO_ACCEPTED, category=None, sentiment=None)
    ReviewSettings.objects.update(gathered_until=timezone.now(), ordered_at=timezone.now() - timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return ticket.pk + STORED // 2


def copy(model: type[Any], own: dict[str, str]) -> None:
    """Copy the single row, with new keys."""
    quote, table = connection.ops.quote_name, model._meta.db_table
    columns = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(own.get(name, f"source.{quote(name)}") for name in columns)
    into = f"INSERT INTO {table} ({', '.join(map(quote, columns))})"
    pk = model._base_manager.get().pk
    with connection.cursor() as cursor:
        source = f"{SERIES[connection.vendor]}, {table} source WHERE source.id = {pk}"
        cursor.execute(f"{into} SELECT {values} FROM {source}")  # noqa: S608 - names of columns


def scans(sql: str, parameters: Any) -> list[str]:
    """The lines of the plan that scan a whole big table."""
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # So many rows of a table of this size are read faster by reading it whole; of a larger one, by an index.
            cursor.execute(f"SET LOCAL enable_seqscan = {'off' if 'LIMIT 2000' in sql else 'on'}")
        cursor.execute(explain + sql, parameters)
        plan = [" ".join(map(str, row)) for row in cursor.fetchall()]
    # Leaving out the few rows of sealed tickets, by the hashed keys of these, delays the end by as few.
    narrowing = [line for line in plan if "Filter" in line and "hashed SubPlan" not in line]
    ends_early = "LIMIT" in sql and not narrowing and not any("Sort" in line or "B-TREE" in line for line in plan)
    costly = [f"{kind} {table} " for kind in ("Seq Scan on", "SCAN") for table in BIG]
    read = [line for line in plan if any(word in f"{line} " for word in costly) and "USING" not in line]
    return [] if ends_early else read


def asked_by(work: Callable[[], Any]) -> dict[str, list[str]]:
    """The queries of some work that scan a big table, with their plans."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if sql.lstrip("(").startswith(("SELECT", "UPDATE", "DELETE")) and not many:
            asked.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        work()
    # Prepared statements are checked elsewhere.
    scanned = {sql: scans(sql, parameters) for sql, parameters in asked if "$1" not in sql}
    return {sql: lines for sql, lines in scanned.items() if lines}


Question = Callable[[int], QuerySet[Any]]

QUESTIONS: dict[str, Question] = {
    "the next tickets to classify": lambda _pk: (
        Ticket.objects.waiting().filter(bulk=False).order_by("available_at")[:16]
    ),
    "whether a ticket waits": lambda _pk: Ticket.objects.waiting()[:1],
    "the first page of tickets": lambda _pk: Ticket.objects.order_by("-pk")[:51],
    "a later page of tickets": lambda pk: Ticket.objects.filter(pk__lt=pk).order_by("-pk")[:51],
    "a page of auto-accepted tickets": lambda pk: Ticket.objects.in_state("auto_accepted").filter(pk__lt=pk)[:51],
    "a page of one source": lambda _pk: Ticket.objects.filter(source="none").order_by("-pk")[:51],
    "the number that needs review": lambda _pk: Ticket.objects.in_state("needs_review").order_by()[:1_000],
    "the number of new tickets": lambda _pk: Ticket.objects.new().order_by()[:1_000],
    "a ticket by external ID": lambda _pk: Ticket.objects.filter(source="app", external_id="x77"),
    "tickets by external ID": lambda _pk: Ticket.objects.filter(source__in=["app"], external_id__in=["x7", "x8"]),
    "a customer's tickets": lambda _pk: Ticket.objects.filter(customer="c7").order_by("-pk")[:20],
    "a ticket's predictions": lambda pk: Prediction.objects.filter(ticket=pk).order_by("pk"),
    "a ticket's verdicts": lambda pk: Verdict.objects.filter(ticket=pk).order_by("pk"),
    "a ticket's decisions": lambda pk: Decision.objects.filter(ticket=pk).order_by("pk"),
    "verdicts of a page of tickets": lambda pk: Verdict.objects.current().filter(ticket__in=range(pk, pk + 50)),
    "a reviewer's decisions": lambda _pk: Decision.objects.filter(reviewer=User.objects.get().pk).order_by("-pk")[:25],
    "recent decisions": lambda _pk: Decision.objects.filter(created_at__gt=timezone.now()).order_by("created_at")[:10],
}


def test_frequent_queries_read_few_rows(many: int) -> None:
    scanned = {name: scans(*ask(many).query.sql_with_params()) for name, ask in QUESTIONS.items()}
    assert {name: lines for name, lines in scanned.items() if lines} == {}
    # A known scan is detected.
    assert scans(*Ticket.objects.filter(text="none").query.sql_with_params())
    assert asked_by(lambda: list(Decision.objects.filter(note="none")))


def test_queries_of_workers_read_few_rows(many: int) -> None:
    def sweep() -> None:
        classifier.tasks.sweep()
        review.sweep.sweep()

    sweep()
    for work in (sweep, gold_labels.collect_from_decisions, training.is_due):
        assert asked_by(work) == {}


PAGES = [
    "/",
    "/?state=auto_accepted",
    "/?state=needs_review&before=3000",
    "/review/queue/",
    "/review/my-decisions/",
    "/review/lead/",
    "/review/certification/",
    "/models/",
    "/admin/classifier/ticket/",
    "/admin/classifier/ticket/?q=invoice+c7",
    "/admin/classifier/prediction/",
    "/admin/classifier/verdict/",
    "/admin/review/decision/",
    "/admin/review/assignment/",
]


def test_pages_read_few_rows(many: int, client: Client, admin: User) -> None:
    client.force_login(admin)

    def visit(page: str) -> None:
        assert client.get(page).status_code == 200, page

    scanned = {page: asked_by(partial(visit, page)) for page in PAGES}
    assert {page: asked for page, asked in scanned.items() if asked} == {}
