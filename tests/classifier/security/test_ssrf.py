"""Outgoing requests never reach internal addresses, unless a setting allows it."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django.fixtures import Settings

from classifier.contract.types import ClassifierError
from classifier.inference.health_check import ping
from classifier.models import LanguageModel
from classifier.security import ssrf
from tests.conftest import UseServer
from tests.servers import OpenAIServer
from ticketclf_site.env import env_hosts

pytestmark = pytest.mark.once

INSIDE = [
    "127.0.0.1",
    "127.9.9.9",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "localhost",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "192.0.0.192",
    "192.0.0.9",
    "192.88.99.1",
    "192.175.48.1",
    "168.63.129.16",
    "[::ffff:192.0.0.192]",
    "[2001:1::1]",
    "[2620:4f:8000::1]",
    "[3fff::1]",
]
OUTSIDE = ["93.184.215.14", "1.1.1.1", "[2606:4700:4700::1111]", "[::ffff:1.1.1.1]", "[64:ff9b::101:101]"]


@pytest.fixture
def nowhere(settings: Settings) -> None:
    """An internal site that must receive no request."""
    settings.INTERNAL_HOSTS = []


class _RecordingHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers = (302, {"Location": "/body"}) if self.path == "/moved" else (200, {})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "100"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"x" * 100)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _RecordingHandler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", INSIDE)
def test_internal_addresses_are_refused_in_every_spelling(nowhere: None, host: str) -> None:
    with pytest.raises(ssrf.ForbiddenAddress, match="TICKETCLF_INTERNAL_HOSTS"):
        ssrf.check_url(f"http://{host}/hook")


@pytest.mark.parametrize("host", OUTSIDE)
def test_public_addresses_are_allowed(nowhere: None, host: str) -> None:
    ssrf.check_url(f"https://{host}/hook")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://1.1.1.1/", "gopher://1.1.1.1", "//1.1.1.1", "http://", ""]
)
def test_only_web_addresses_are_allowed(nowhere: None, url: str) -> None:
    with pytest.raises(ssrf.ForbiddenAddress):
        ssrf.check_url(url)


@pytest.mark.parametrize(
    ("entry", "host", "allowed"),
    [
        ("*", "169.254.169.254", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "192.168.1.1", False),
        ("10.1.2.3:8000", "10.1.2.3", True),
        ("10.1.2.3:8001", "10.1.2.3", False),
        ("[::1]:8000", "::1", True),
        ("::1", "::1", True),
        ("fd00::/8", "fd12::1", True),
        ("localhost:8000", "localhost", True),
        ("localhost:8001", "localhost", False),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("ollama", "localhost", False),
    ],
)
def test_the_setting_allows_what_it_names_and_no_more(settings: Settings, entry: str, host: str, allowed: bool) -> None:
    settings.INTERNAL_HOSTS = [entry]
    if allowed:
        ssrf.check_host(host, 8000)
    else:
        with pytest.raises(ssrf.ForbiddenAddress):
            ssrf.check_host(host, 8000)


def test_an_invalid_network_in_the_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETCLF_INTERNAL_HOSTS", "ollama, 10.0.0.0/33")
    with pytest.raises(ImproperlyConfigured, match="10.0.0.0/33"):
        env_hosts("TICKETCLF_INTERNAL_HOSTS", [])


def test_a_host_with_any_internal_address_is_refused(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: both)
    with pytest.raises(ssrf.ForbiddenAddress, match=r"10\.0\.0\.1"):
        ssrf.check_url("https://rebound.example/")


def test_connections_go_to_the_address_that_was_checked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """A name server that answers differently the second time is not asked twice."""
    settings.INTERNAL_HOSTS = ["127.0.0.1"]
    asked, resolve = [], socket.getaddrinfo

    def rebinding(host: str, *arguments: Any, **named: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if asked.count(host) == 1 else "10.0.0.1", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    request = urllib.request.Request(f"http://hooks.example:{port}/body")  # noqa: S310 - our own server
    with ssrf.open_url(request, 2) as response:
        assert response.read(10) == b"x" * 10
    assert asked.count("hooks.example") == 1


def test_redirects_and_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/moved")  # noqa: S310 - our own server
    with pytest.raises(urllib.error.HTTPError) as refused, ssrf.open_url(request, 2):
        pass
    assert refused.value.code == 302


def test_internal_calls_are_refused_before_they_are_made(nowhere: None, port: int) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/body")  # noqa: S310 - our own server
    with pytest.raises(ssrf.ForbiddenAddress):
        ssrf.open_url(request, 2)
    with pytest.raises(ssrf.ForbiddenAddress):
        ssrf.open_url(urllib.request.Request("file:///etc/hostname"), 2)  # noqa: S310 - refused, as it says


def test_internal_models_are_not_asked_and_the_failure_says_why(settings: Settings, primary: UseServer) -> None:
    with OpenAIServer() as server:
        language_model = primary(server)
        assert not isinstance(ping(language_model), ClassifierError)
        settings.INTERNAL_HOSTS = []
        LanguageModel.objects.update(timeout=7)
        refused = ping(LanguageModel.objects.select_related("provider").get(pk=language_model.pk))
        assert isinstance(refused, ClassifierError)
        assert refused.permanent
        assert "TICKETCLF_INTERNAL_HOSTS" in str(refused)
        assert len(server.requests) == 1


@pytest.mark.django_db
def test_the_admin_refuses_internal_providers(nowhere: None, admin: Any, client: Client) -> None:
    client.force_login(admin)
    values = {"name": "metadata", "kind": "chat", "base_url": "http://169.254.169.254/v1", "api_key_env": ""}
    page = client.post("/admin/classifier/provider/add/", values)
    assert page.status_code == 200
    assert "TICKETCLF_INTERNAL_HOSTS" in page.content.decode()
