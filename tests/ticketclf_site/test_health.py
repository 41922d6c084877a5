"""Probes report whether a process runs and whether it can serve requests."""

from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from pytest_django.fixtures import Settings

from classifier.models import Gate
from ticketclf_site.observability import readiness

pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def clear_cache() -> None:
    readiness._caught_up.cache_clear()


def test_livez_answers_without_a_database() -> None:
    """No database is allowed in this test."""
    response = Client().get("/livez", headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.content, response.headers.get("Set-Cookie")) == (200, b"ok\n", None)


def test_readyz_needs_few_queries_when_nothing_is_missing(catalogue: None, django_assert_max_num_queries: Any) -> None:
    client = Client()
    assert client.get("/readyz", headers={"host": "10.0.0.7:8000"}).json() == {"ready": True, "missing": []}
    with django_assert_max_num_queries(3):
        assert client.get("/readyz").status_code == 200
    assert client.post("/readyz").status_code == 405


def test_readyz_fails_before_the_catalogue_is_loaded(catalogue: None) -> None:
    Gate.objects.all().delete()
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["The catalogue is not loaded: run manage.py setup."]


def test_readyz_fails_before_the_migrations_are_applied(catalogue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "unapplied", lambda: ["classifier.0099_more"])
    assert Client().get("/readyz").json()["missing"] == ["Migrations are not applied: run manage.py setup."]
    monkeypatch.undo()
    assert Client().get("/readyz").status_code == 200


def test_readyz_fails_without_the_database_and_reveals_no_details(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError("password authentication failed for user me at 10.1.2.3")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", refuse)
        response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["The database cannot be reached."]


def test_readyz_fails_on_a_full_disk(
    catalogue: None, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    settings.VAR_DIR = tmp_path / "missing"  # with a database elsewhere and a key in the environment
    assert Client().get("/readyz").status_code == 200
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000_000}))
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert "is full" in response.json()["missing"][0]


def test_pages_without_the_database_say_so(agent_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OperationalError("connection to server at 10.1.2.3 failed")

    agent_client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", refuse)
        response = agent_client.get("/")
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert "The database is not available" in response.content.decode()
    assert "10.1.2.3" not in response.content.decode()
