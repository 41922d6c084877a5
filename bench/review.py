"""Decision round trips of agents over HTTP and the queue page, with few and with very many waiting tickets.

Each agent is a thread with a connection of its own, which accepts what it is shown and gets the next ticket in the
answer. PostgreSQL: set TEST_DATABASE_URL to a server where databases can be created.
"""

import argparse
import gzip
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from urllib.parse import urlencode

from bench.harness import ROOT, fresh_installation, table
from bench.seeding import fill_queue, set_attributes

PASSWORD = "a-long-and-odd-password"  # noqa: S105 - of people who exist in a temporary database
QUEUE_PAGES = 20


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PORT = _free_port()


class Agent:
    """A browser that knows the forms of the screen."""

    def __init__(self, name: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        self._cookies: dict[str, str] = {}
        self.tickets: list[str] = []
        self.milliseconds: list[float] = []
        self.bytes: list[int] = []
        self.errors: list[str] = []
        self._page = self.get("/sign-in/")
        self.post("/sign-in/", {"username": name, "password": PASSWORD, "next": "/"})
        assert "sessionid" in self._cookies, f"{name} is not signed in"

    def open_screen(self) -> None:
        # While others signed in the server may have closed what was idle.
        self._connection.close()
        self._page = self.get("/review/")

    def accept(self) -> None:
        """One decision; what came back is the next ticket."""
        fields = dict(re.findall(r'name="(key|display_token)" value="([^"]*)"', self._page.split('id="answer"')[1]))
        fields |= dict(re.findall(r'name="(category|sentiment|attribute_\d+)" value="(\w+)" checked', self._page))
        fields |= dict(re.findall(r'name="(attribute_\d+)" value="([^"]*)" maxlength', self._page))
        ticket = re.search(r'id="heading"[^>]*>([^<]+)', self._page)
        assert ticket
        self.tickets.append(ticket[1])
        begun = time.perf_counter()
        self._page = self.post("/review/decide/", fields, {"HX-Request": "true"})
        self.milliseconds.append((time.perf_counter() - begun) * 1000)

    def get(self, path: str) -> str:
        return self._send("GET", path, "", {})

    def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self._page)
        assert token, f"the page before {path} has no form"
        body = urlencode({"csrfmiddlewaretoken": token[1]} | fields)
        return self._send("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"} | (headers or {}))

    def _send(self, method: str, path: str, body: str, headers: dict[str, str]) -> str:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers |= {"Cookie": cookies, "Accept-Encoding": "gzip", "Referer": f"http://127.0.0.1:{PORT}/"}
        response = self._answer(method, path, body, headers)
        content = response.read()
        self.bytes.append(len(content))
        for name, value in response.getheaders():
            if name == "Set-Cookie":
                self._cookies |= dict([value.split(";")[0].split("=", 1)])
        if response.status >= 400:
            self.errors.append(f"{response.status} {path}")
        return (gzip.decompress(content) if response.getheader("Content-Encoding") == "gzip" else content).decode()

    def _answer(self, method: str, path: str, body: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send on the open connection; reconnect if the server has closed it after a long pause."""
        try:
            self._connection.request(method, path, body, headers)
            return self._connection.getresponse()
        except http.client.RemoteDisconnected:
            self._connection.request(method, path, body, headers)
            return self._connection.getresponse()


@contextmanager
def server() -> Iterator[int]:
    """The product's own web process, without a worker beside it; gives its process id."""
    command = [sys.executable, "manage.py", "web", "--port", str(PORT)]
    process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603 - a command of ours
    try:
        _wait_until_it_answers()
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers() -> None:
    for _try in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/sign-in/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server does not answer")


def measure(agents: int, decisions: int) -> list[object]:
    """One row: round trips of this many concurrent agents, and the queue page for one of them."""
    people = [Agent(f"agent{number}") for number in range(agents)]
    begun = time.perf_counter()
    threads = [threading.Thread(target=_work, args=[person, decisions // agents]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    pages = [_timed(people[0], "/review/queue/") for _page in range(QUEUE_PAGES)]
    trips = [milliseconds for person in people for milliseconds in person.milliseconds]
    seen = [ticket for person in people for ticket in person.tickets]
    errors = [error for person in people for error in person.errors]
    if errors:
        print("errors:", errors[:5], file=sys.stderr)
    return [
        *(f"{point:.1f}" for point in _points(trips)),
        f"{len(trips) / seconds:.0f}",
        *(f"{point:.1f}" for point in _points(pages)),
        len(seen) - len(set(seen)),
        len(errors),
    ]


def _work(agent: Agent, decisions: int) -> None:
    agent.open_screen()
    for _decision in range(decisions):
        agent.accept()


def _timed(agent: Agent, path: str) -> float:
    begun = time.perf_counter()
    agent.get(path)
    return (time.perf_counter() - begun) * 1000


def _points(figures: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    cut = quantiles(figures, n=20)
    return cut[9], cut[18]


def _bytes() -> None:
    """What goes over the wire: a first page with all that it needs, then a decision."""
    agent = Agent("agent0")
    agent.bytes.clear()
    agent.open_screen()
    for path in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', agent._page)) | {"/static/js/finder.js"}:
        agent.get(path)
    first = sum(agent.bytes)
    agent.bytes.clear()
    for _decision in range(20):
        agent.accept()
    table(
        "Bytes over the wire, compressed",
        ["first page, all files (< 120 KB)", "decision, largest of 20 (< 15 KB)"],
        [[first, max(agent.bytes)]],
    )


def _people(number: int) -> None:
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group, User

    password = make_password(PASSWORD)
    for index in range(number):
        user, _created = User.objects.get_or_create(username=f"agent{index}", defaults={"password": password})
        user.groups.add(Group.objects.get(name="Agent"))


@contextmanager
def postgres(url: str) -> Iterator[None]:
    """A database of its own on this server."""
    import psycopg

    name = f"ticketclf_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        os.environ["DATABASE_URL"] = url.rsplit("/", 1)[0] + f"/{name}"
        try:
            yield
        finally:
            from django.db import connections

            connections.close_all()
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def run(sizes: list[int], crowds: list[int], decisions: int, numbers: list[int]) -> None:
    fresh_installation()
    from django.db import connection

    from review.models import ReviewSettings

    ReviewSettings.current()
    ReviewSettings.objects.update(blind_share=0, double_share=0, sample_share=0)
    _people(max(crowds))
    rows = []
    for size in sizes:
        fill_queue(size)
        connection.close()
        with server():
            if size == sizes[0]:
                _bytes()
            for number in numbers:
                set_attributes(number)
                connection.close()
                rows += [[f"{size:,}", number, agents, *measure(agents, decisions)] for agents in crowds]
    table(
        f"Decisions and the queue's page on {connection.vendor}, {decisions} decisions a row, milliseconds",
        [
            "waiting",
            "attributes",
            "agents",
            "p50",
            "p95",
            "decisions/s",
            "queue p50",
            "queue p95",
            "given twice",
            "errors",
        ],
        rows,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--agents", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--decisions", type=int, default=320)
    parser.add_argument("--attributes", type=int, nargs="+", default=[0], choices=range(5))
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    if options.postgres:
        with postgres(os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")):
            run(options.sizes, options.agents, options.decisions, options.attributes)
    else:
        run(options.sizes, options.agents, options.decisions, options.attributes)
