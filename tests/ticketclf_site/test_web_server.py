"""The web server with real sockets: slow clients neither stop it nor stay, and uploads are bounded."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from review.models import Decision
from tests.factories import configure_review, make_ticket, send_to_review
from tests.installations import wait_until
from tests.review import screen_client
from ticketclf_site.processes import web_server
from ticketclf_site.processes.web_server import WebServer
from ticketclf_site.wsgi import application

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

SIGNED = "Cookie: sessionid=forged\r\n"


def started(app: Any, *, behind_proxy: bool = False) -> Iterator[WebServer]:
    server = WebServer(app, "127.0.0.1", 0, 2, behind_proxy=behind_proxy)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.stop()
    thread.join()


@pytest.fixture
def server() -> Iterator[WebServer]:
    yield from started(application)


def connect(server: WebServer, sent: str = "", *, address: str = "127.0.0.1") -> socket.socket:
    target = ("127.0.0.1", int(server.effective_port))
    client = socket.create_connection(target, timeout=10, source_address=(address, 0))
    client.sendall(sent.encode())
    return client


def upload(path: str, size: int, headers: str = "") -> str:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {size}\r\n\r\nx="


def status_line(client: socket.socket) -> str:
    return client.recv(1_000).decode().split("\r\n")[0]


def request(server: WebServer, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", int(server.effective_port), timeout=10)) as connection:
        connection.request(method, path, body, headers or {})
        return connection.getresponse().status


SLOW = {
    "silent": "",
    "in its headers": "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "in its body": upload("/sign-in/", 1_000),
}


def test_300_slow_clients_delay_neither_the_probe_nor_a_decision(server: WebServer, agent_client: Client) -> None:
    configure_review()
    send_to_review(make_ticket("My invoice is wrong."))
    answer = screen_client.shown(agent_client)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in agent_client.cookies.items())
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
    slow = [
        connect(server, sent, address=f"127.0.0.{10 + number}")
        for number, sent in enumerate(SLOW.values())
        for _ in range(100)
    ]
    wait_until(lambda: len(server.active_channels) >= len(slow))
    began = time.monotonic()
    assert request(server, "GET", "/livez") == 200
    assert time.monotonic() - began < 1
    began = time.monotonic()
    assert request(server, "POST", screen_client.DECIDE, urlencode(answer), headers) == 200
    assert time.monotonic() - began < 1
    assert Decision.objects.count() == 1
    for client in slow:
        client.close()


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_slow_clients_are_disconnected(server: WebServer, monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    monkeypatch.setattr(web_server, "HEADER_SECONDS", 0.2)
    with connect(server, sent) as client:
        wait_until(lambda: bool(server.active_channels))
        while sent and client.fileno() > 0 and server.active_channels:
            client.send(b"x")
            time.sleep(0.1)
        assert client.recv(10) == b""


def test_an_address_with_too_many_connections_loses_the_one_that_waited_longest(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_per_address", 2)
    first, second, third = (connect(server) for _number in range(3))
    assert first.recv(10) == b""
    with connect(server, address="127.0.0.9"):
        assert request(server, "GET", "/livez") == 200
    second.close()
    third.close()


@pytest.mark.parametrize(
    ("headers", "size", "status"),
    [
        ("", 6 * 2**20, "413 Request Entity Too Large"),
        (SIGNED, 202 * 2**20, "413 Request Entity Too Large"),
    ],
)
def test_uploads_are_refused_by_their_headers(server: WebServer, headers: str, size: int, status: str) -> None:
    with connect(server, upload("/sign-in/", size, headers)) as client:
        assert status_line(client) == f"HTTP/1.1 {status}"


def test_uploads_of_unknown_length_end_at_the_limit(server: WebServer) -> None:
    chunk = f"{2**20:x}\r\n{'x' * 2**20}\r\n"
    with connect(server, upload("/sign-in/", 0, SIGNED + "Transfer-Encoding: chunked\r\n")[:-2]) as client:
        client.sendall(chunk.encode() * 5)
        assert status_line(client) == "HTTP/1.1 413 Request Entity Too Large"


def test_uploads_are_bounded_together(server: WebServer) -> None:
    large = upload("/sign-in/", 200 * 2**20, SIGNED)
    with connect(server, large), connect(server, large) as second:
        assert status_line(second) == "HTTP/1.1 503 Service Unavailable"
        assert request(server, "GET", "/livez") == 200


def test_the_answer_to_head_has_no_body(server: WebServer) -> None:
    with closing(connect(server, "HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) as client:
        answer = client.makefile().read()
    assert answer.startswith("HTTP/1.1 200 ")
    assert answer.partition("\n\n")[2] == ""


def test_running_requests_are_finished_before_it_stops() -> None:
    began, finish = threading.Event(), threading.Event()

    def slow_application(environ: Any, start_response: Any) -> list[bytes]:
        began.set()
        finish.wait(10)
        start_response("200 OK", [])
        return [b"done"]

    with (
        contextmanager(started)(slow_application) as server,
        connect(server, "GET / HTTP/1.0\r\n\r\n") as client,
    ):
        began.wait(10)
        server.stop()
        finish.set()
        assert client.makefile().read().endswith("done")


@pytest.mark.parametrize(("behind_proxy", "address"), [(True, "203.0.113.7"), (False, "127.0.0.1")])
def test_only_a_proxy_names_the_client(behind_proxy: bool, address: str) -> None:
    def address_of_client(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["REMOTE_ADDR"].encode()]

    sent = "GET / HTTP/1.0\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n\r\n"
    with (
        contextmanager(started)(address_of_client, behind_proxy=behind_proxy) as server,
        connect(server, sent) as client,
    ):
        assert client.makefile().read().endswith(f"\n{address}")
