"""Log lines name the event and the request, but never contain ticket texts or keys."""

import io
import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sentry_sdk
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import ResolverMatch, reverse
from django_tasks.signals import task_finished, task_started
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from classifier.ingest import storing
from classifier.log_context import log_fields
from classifier.pipeline import runner
from tests.conftest import UseServer
from tests.factories import make_ticket
from tests.servers import OpenAIServer, Reply, Request, error
from ticketclf_site.observability import logs, sentry
from ticketclf_site.observability.request_log import _path

TEXT = "zanzibarquux"
KEY = "sk-planted-0123456789"
FORMATTERS: dict[str, Any] = {
    "plain": lambda: logs.PlainFormatter("{asctime} {levelname} {name}: {message}", style="{"),
    "json": logs.JsonLineFormatter,
}


@pytest.fixture(params=["json", "plain"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log at the most detailed level, with a secret in the environment."""
    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(FORMATTERS[request.param]())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def log_lines(written: io.StringIO) -> list[dict[str, Any]]:
    """The parsed JSON lines."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


def assert_no_secrets(written: io.StringIO) -> None:
    assert written.getvalue()
    assert TEXT not in written.getvalue()
    assert KEY not in written.getvalue()


def test_a_failing_model_that_echoes_ticket_and_key_is_not_quoted(primary: UseServer, written: io.StringIO) -> None:
    def reply(request: Request) -> Reply:
        return error(400, f"bad key {request.headers['authorization']} for {request.ticket}")

    with OpenAIServer(reply) as server:
        primary(server, api_key_env="PLANTED_API_KEY")
        make_ticket(f"Call {TEXT}")
        runner.classify_next_batch()
        logging.getLogger("classifier").error("The work is done: %s", KEY)
    assert server.requests
    assert_no_secrets(written)


def test_a_refusing_database_is_not_quoted(db: None, written: io.StringIO) -> None:
    make_ticket(TEXT, external_id=TEXT)
    try:
        with transaction.atomic():
            make_ticket(TEXT, external_id=TEXT)
    except IntegrityError as refused:
        logging.getLogger("review").exception("It was refused: %s", refused)
    assert_no_secrets(written)
    assert "IntegrityError" in written.getvalue()
    assert any(code in written.getvalue() for code in ("SQLITE_CONSTRAINT_UNIQUE", "ticket_once_per_source"))
    assert "factories.py" in written.getvalue()


def test_a_failing_request_is_logged_without_its_body(
    written: io.StringIO, catalogue: None, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> str:
        raise RuntimeError(f"cannot store {text!r}") from ValueError(text)

    monkeypatch.setattr(storing, "validated_text", fail)
    client = Client(raise_request_exception=False)
    client.force_login(ana)
    assert client.post(reverse("classifier:new_ticket") + f"?q={TEXT}", {"text": TEXT}).status_code == 500
    client.get(f"/nowhere/?q={TEXT}")
    client.get("/", headers={"host": "elsewhere.example", "authorization": f"Bearer {KEY}"})
    assert_no_secrets(written)
    for part in ("RuntimeError", "ValueError", "/nowhere/"):
        assert part in written.getvalue()


def test_multi_line_messages_are_cut_to_the_first_line(written: io.StringIO) -> None:
    never = f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{TEXT}')>"
    logging.getLogger("asyncio").error(never)
    logging.getLogger("openai._base_client").debug("Request options: %s", {"json_data": TEXT})
    logging.getLogger("waitress").error("Error handling request /x?text=%s", TEXT)
    logging.getLogger("x").error("postgresql://me:%s@db/x and Bearer %s", "geheim", "geheim")
    assert_no_secrets(written)
    assert "geheim" not in written.getvalue()


@pytest.mark.parametrize("written", ["json"], indirect=True)
def test_lines_name_request_person_task_and_tickets(written: io.StringIO, catalogue: None, ana: User) -> None:
    client = Client()
    client.force_login(ana)
    response = client.get(reverse("classifier:models") + "?q=1", headers={"x-request-id": "from-the-proxy-1"})
    assert response["X-Request-ID"] == "from-the-proxy-1"
    (line,) = [line for line in log_lines(written) if line["logger"] == "ticketclf.access"]
    assert line["ms"] > 0
    expected = {"request": "from-the-proxy-1", "user": ana.pk, "method": "GET", "path": "/models/", "status": 200}
    assert line | expected == line
    made = client.get("/", headers={"x-request-id": "no\x20good; DROP"})["X-Request-ID"]
    assert made.isalnum()
    with log_fields(tickets=range(30), model="small"):
        logging.getLogger("classifier").warning("Slow")
    logging.getLogger("classifier").warning("Over")
    slow, over = log_lines(written)[-2:]
    assert (slow["tickets"][:3], slow["tickets_count"], slow["model"], slow["level"]) == (
        [0, 1, 2],
        30,
        "small",
        "WARNING",
    )
    assert not {"tickets", "model", "request"} & set(over)
    task = SimpleNamespace(id="7", worker_ids=["w1"], status="RUNNING", task=SimpleNamespace(module_path="a.b"))
    task_started.send(type(task), task_result=task)
    logging.getLogger("classifier").warning("In it")
    task_finished.send(type(task), task_result=task)
    logging.getLogger("classifier").warning("After it")
    within, after = (line for line in log_lines(written) if line["message"].endswith(" it"))
    assert (within["task"], within["job"], within["worker"], after.get("task")) == ("7", "a.b", "w1", None)


def test_urls_with_secrets_are_logged_as_patterns(written: io.StringIO, client: Client) -> None:
    request = client.get("/livez").wsgi_request
    match = ResolverMatch(lambda: None, (), {"uidb36": "1", "key": KEY}, route="reset/<uidb36>-<key>/")
    request.resolver_match = match
    assert _path(request) == "/reset/<uidb36>-<key>/"
    logging.getLogger("x").error("%s", _path(request))


class RecordingTransport(Transport):
    def __init__(self) -> None:
        super().__init__({"dsn": "http://key@127.0.0.1:9/1"})
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


def test_sentry_gets_the_error_and_no_text(catalogue: None, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> str:
        raise RuntimeError(f"cannot store {text!r}") from ValueError(text)

    transport = RecordingTransport()
    monkeypatch.setattr(storing, "validated_text", fail)
    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    sentry.start("http://key@127.0.0.1:9/1", transport=transport)
    try:
        client = Client(raise_request_exception=False)
        client.force_login(ana)
        client.post(reverse("classifier:new_ticket") + f"?q={TEXT}", {"text": TEXT, "key": KEY})
        logging.getLogger("classifier").error("It failed for %s", TEXT)
    finally:
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)
    events = [item.get_event() for envelope in transport.envelopes for item in envelope.items]
    assert len(events) >= 2
    assert not any(word in json.dumps(events, default=str) for word in (TEXT, KEY, ana.username + "@"))
    kinds = [exception["type"] for event in events for exception in event.get("exception", {}).get("values", [])]
    assert {"RuntimeError", "ValueError"} <= set(kinds)
    assert any(event.get("tags", {}).get("request") for event in events)
