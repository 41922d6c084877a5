"""Every error under /api/ is a problem document that says what is wrong."""

import logging
from typing import Any

import pytest
from django.db import OperationalError

from classifier.models import Gate, Ticket
from tests.api.caller import Caller, problem

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/v1/nothing", "/api/v1/tickets/999999", "/api/v1/", "/api/v2/tickets"]
)
def test_an_unknown_path_is_a_404_problem(lead_api: Caller, path: str) -> None:
    problem(lead_api.client.get(path, headers=lead_api.headers), 404)
    assert problem(lead_api.client.get("/api/nothing"), 404)["instance"] == "/api/nothing"


def test_an_unsupported_method_is_a_405_problem_with_the_allowed_methods(lead_api: Caller) -> None:
    answer = lead_api.client.delete("/api/v1/tickets", headers=lead_api.headers)
    problem(answer, 405)
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


def test_head_is_answered_like_get_without_the_body(lead_api: Caller) -> None:
    answer = lead_api.client.head("/api/v1/tickets", headers=lead_api.headers)
    assert (answer.status_code, answer.content) == (200, b"")
    problem_of = lead_api.client.head("/api/v1/tickets")
    assert problem_of.status_code == 401


@pytest.mark.parametrize("since", ["0.5", "1700000000", "1e9", "-1", "2026-01-31", "yesterday"])
def test_a_number_or_a_day_is_not_taken_for_a_time(lead_api: Caller, since: str) -> None:
    problem(lead_api.get("/tickets", since=since), 422, "invalid")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("\xff".encode("latin-1"), 400),
        (DEEP, 400),
        ('{"text": ' + "9" * 5_000 + "}", 400),
        ('{"text": NaN}', 400),
        ("", 422),
        ("[]", 422),
        ("null", 422),
        ('"text"', 422),
        ('{"text": {"a": 1}}', 422),
        ('{"text": "a", "received_at": "0001-01-01T00:00:00+14:00"}', 422),
        ('{"text": "a", "due_at": 1e300}', 422),
        ('{"text": "a", "received_at": 1700000000}', 422),
        ('{"text": "a", "external_id": ""}', 422),
        ('{"text": "' + "a" * 6_000_000 + '"}', 413),
    ],
)
def test_an_invalid_body_is_a_problem_and_stores_nothing(lead_api: Caller, body: Any, status: int) -> None:
    problem(lead_api.post("/tickets", body), status, "invalid" if status == 422 else "")
    assert not Ticket.objects.exists()


def test_a_body_that_is_not_json_is_a_415_problem(lead_api: Caller) -> None:
    answer = lead_api.client.post("/api/v1/tickets", {"text": "a form"}, headers=lead_api.headers)
    assert "application/json" in problem(answer, 415)["detail"]


@pytest.mark.parametrize(
    "path", ["/tickets/9999999999999999999999", "/benchmark/runs/99999999999999999999", "/tickets/-1"]
)
def test_an_id_beyond_the_databases_range_is_not_found(lead_api: Caller, path: str) -> None:
    problem(lead_api.get(path), 404)


def test_a_database_error_is_a_503_problem_that_logs_no_text(
    lead_api: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_args: object, **_values: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("classifier.ingest.storing.store", fails)
    caplog.set_level(logging.ERROR)
    answer = lead_api.post("/tickets", {"text": "My very private text"})
    problem(answer, 503)
    assert answer["Retry-After"] == "5"
    assert "database is locked" in caplog.text
    assert "very private" not in caplog.text


def test_an_installation_without_setup_is_a_503_problem(lead_api: Caller) -> None:
    Gate.objects.all().delete()
    problem(lead_api.post("/classify", {"text": "Hello"}), 503, "not-set-up")
    assert not Ticket.objects.exists()
