"""p95 of pages and API over HTTP with few and with very many tickets on PostgreSQL: it must not double.

PostgreSQL: set TEST_DATABASE_URL to a server where databases may be made, by a superuser of it.
"""

import argparse
import http.client
import json
import os
import time
from collections.abc import Callable
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any

from bench import review as review_bench
from bench.filling import fill
from bench.harness import fresh_installation, table
from bench.review import Agent

VISITS, A_TURN = 60, 10
LIMIT = 2.0
SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"


class Api:
    """A help desk that calls the API with a key."""

    def __init__(self, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", review_bench.PORT, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._posted = 0

    def get(self, path: str) -> None:
        self._send("GET", path, None)

    def post(self) -> None:
        self._posted += 1
        ticket = {"text": f"Where is my invoice? ({self._posted})", "external_id": f"api-{time.time_ns()}"}
        self._send("POST", "/api/v1/tickets", json.dumps(ticket))

    def _send(self, method: str, path: str, body: str | None) -> None:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status < 300, (method, path, response.status, answer[:200])


def pages_of(tickets: int, key: str) -> dict[str, Callable[[int], Any]]:
    """What is visited, by name; each takes the number of the visit."""
    lead, middle = Agent("agent0"), tickets // 2
    some = [middle - middle % 20 + offset for offset in (0, 1, 2, 3)]
    category = _first_category()
    pages: dict[str, Callable[[int], Any]] = {
        "inbox": lambda _visit: lead.get("/"),
        "inbox, in review": lambda _visit: lead.get("/?state=needs_review"),
        "inbox, half-way back": lambda _visit: lead.get(f"/?before={middle}"),
        "a ticket": lambda visit: lead.get(f"/tickets/{some[visit % 4] + 20 * visit}/"),
        "queue": lambda _visit: lead.get("/review/queue/"),
        "queue, filtered": lambda _visit: lead.get(f"/review/queue/?category={category}"),
        "queue, searched": lambda visit: lead.get(f"/review/queue/?q=invoice+{visit}"),
        "own decisions": lambda _visit: lead.get("/review/my-decisions/"),
        "lead's page": lambda _visit: lead.get("/review/lead/"),
        "lead's screen": lambda _visit: lead.get("/review/lead/screen/"),
        "preferences": lambda _visit: lead.get("/review/preferences/"),
        "new ticket": lambda _visit: lead.get("/tickets/new/"),
        "metrics": lambda _visit: lead.get("/metrics"),
        "models": lambda _visit: lead.get("/models/"),
        "certification": lambda _visit: lead.get("/review/certification/"),
        "specialist": lambda _visit: lead.get("/review/specialist/"),
        "label issues": lambda _visit: lead.get("/review/label-issues/"),
        "emerging topics": lambda _visit: lead.get("/review/emerging-topics/"),
        "confusable categories": lambda _visit: lead.get("/review/confusable-categories/"),
        "benchmark": lambda _visit: lead.get("/review/benchmark/"),
        "datasets": lambda _visit: lead.get("/review/datasets/"),
        "admin: tickets": lambda _visit: lead.get("/admin/classifier/ticket/"),
        "admin: tickets, searched": lambda visit: lead.get(f"/admin/classifier/ticket/?q=invoice+{visit}"),
        "admin: predictions": lambda _visit: lead.get("/admin/classifier/prediction/"),
        "admin: decisions": lambda _visit: lead.get("/admin/review/decision/"),
        "review screen": lambda _visit: lead.open_screen(),
        "a decision": lambda _visit: lead.accept(),
        "a sweep, in the worker": lambda _visit: _sweep(),
    }
    api = Api(key)
    return pages | {
        "GET /api/v1/tickets": lambda _visit: api.get("/api/v1/tickets"),
        "GET /api/v1/tickets/ID": lambda visit: api.get(f"/api/v1/tickets/{some[visit % 4] + 20 * visit}"),
        "POST /api/v1/tickets": lambda _visit: api.post(),
    }


def _first_category() -> int:
    from review.models import Assignment

    return int(Assignment.objects.open().exclude(category=None).order_by("pk").values_list("category", flat=True)[0])


def sizes() -> list[list[object]]:
    """Of the largest tables: rows, and megabytes of the table and of its indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint, round((pg_table_size(oid) / 1e6)::numeric), round((pg_indexes_size(oid)"
            " / 1e6)::numeric) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " ORDER BY pg_total_relation_size(oid) DESC LIMIT 7"
        )
        return [list(row) for row in cursor.fetchall()]


def serve_installation(tickets: int, orders: Connection) -> None:
    """An installation with this many tickets, in its own process, because Django is set up once per process. It visits
    the pages sent to it, and answers with the milliseconds of each visit; an empty message ends it.
    """
    os.environ["DATABASE_URL"] = f"{_server()}/{_name(tickets)}"
    fresh_installation()
    if not _is_filled():
        seconds = fill(tickets)
        print(f"{tickets:,} tickets: " + ", ".join(f"{name} in {spent:.0f} s" for name, spent in seconds.items()))
    _make_lead()
    table(f"Tables at {tickets:,} tickets", ["table", "rows", "MB", "MB of indexes"], sizes())
    with review_bench.server():
        pages = pages_of(tickets, _key())
        orders.send(list(pages))
        while order := orders.recv():
            name, visits = order
            orders.send([_timed(pages[name], visit) for visit in visits])


def _timed(page: Callable[[int], Any], visit: int) -> float:
    begun = time.perf_counter()
    page(visit)
    return (time.perf_counter() - begun) * 1000


def _server() -> str:
    return os.environ.get("TEST_DATABASE_URL", SERVER).rsplit("/", 1)[0]


def _name(tickets: int) -> str:
    return f"ticketclf_pages_{tickets}"


def _is_filled() -> bool:
    from classifier.models import Ticket

    return Ticket.objects.exists()


def _make_lead() -> None:
    """Somebody who may see every page."""
    from django.contrib.auth.models import User

    review_bench._people(1)
    User.objects.filter(username="agent0").update(is_staff=True, is_superuser=True)


def _key() -> str:
    """A key of the API for this installation."""
    from django.contrib.auth.models import User

    from classifier.api import keys
    from classifier.models.api_keys import Scope

    person = User.objects.get(username="agent0")
    return keys.create_key("bench", person, [Scope.TICKETS_READ, Scope.TICKETS_WRITE], per_minute=0)[1]


def _sweep() -> None:
    """What every worker does four times a minute."""
    import classifier.tasks
    import review.sweep

    classifier.tasks.sweep()
    review.sweep.sweep()


def run(small: int, large: int, visits: int, keep: bool) -> None:
    import psycopg

    with psycopg.connect(f"{_server()}/postgres", autocommit=True) as server:
        for tickets in (small, large):
            row = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_name(tickets)])
            if not row.fetchone():
                server.execute(f'CREATE DATABASE "{_name(tickets)}"')
        try:
            _compare(small, large, visits)
        finally:
            for tickets in () if keep else (small, large):
                server.execute(f'DROP DATABASE "{_name(tickets)}" WITH (FORCE)')


def _compare(small: int, large: int, visits: int) -> None:
    sites = {tickets: _started(tickets) for tickets in (small, large)}
    names = [orders.recv() for orders in sites.values()][0]
    rows = []
    for name in names:
        # In turns, for the machine's speed drifts.
        milliseconds: dict[int, list[float]] = {small: [], large: []}
        for turn in range(-1, visits // A_TURN):
            for tickets, orders in sites.items():
                orders.send((name, range(max(turn, 0) * A_TURN, (max(turn, 0) + 1) * A_TURN)))
                milliseconds[tickets] += orders.recv() if turn >= 0 else orders.recv()[:0]
        (p50, p95), (large_p50, large_p95) = map(review_bench._points, milliseconds.values())
        figures = [f"{value:.1f}" for value in (p50, p95, large_p50, large_p95)]
        verdict = "" if large_p95 <= LIMIT * p95 else "above the limit"
        rows.append([name, *figures, f"{large_p95 / p95:.2f}", verdict])
        print(*rows[-1], sep="  ", flush=True)
    for orders in sites.values():
        orders.send(None)
    header = ["page", f"p50 at {small:,}", "p95", f"p50 at {large:,}", "p95", f"ratio (limit {LIMIT:g})", ""]
    table(f"Milliseconds over HTTP, {visits} visits each", header, rows)


def _started(tickets: int) -> Connection:
    ours, theirs = Pipe()
    get_context("spawn").Process(target=serve_installation, args=[tickets, theirs]).start()
    # A visit that fails is noticed here.
    theirs.close()
    return ours


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--visits", type=int, default=VISITS)
    parser.add_argument("--keep", action="store_true", help="leave the databases, which the next run takes up")
    run(**vars(parser.parse_args()))
