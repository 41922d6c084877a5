"""Machines that look after this one are told whether it lives, and whether it can serve."""

from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from classifier.models import Gate
from ticketclf_site.observability import readiness

pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    readiness._caught_up.cache_clear()


def test_it_lives_without_a_database() -> None:
    """No database is allowed in this test."""
    answered = Client().get("/livez", headers={"host": "10.0.0.7:8000"})
    assert (answered.status_code, answered.content, answered.headers.get("Set-Cookie")) == (200, b"ok\n", None)


def test_it_is_ready_with_few_queries_when_nothing_is_missing(
    catalogue: None, django_assert_max_num_queries: Any
) -> None:
    client = Client()
    assert client.get("/readyz", headers={"host": "10.0.0.7:8000"}).json() == {"ready": True, "missing": []}
    with django_assert_max_num_queries(3):
        assert client.get("/readyz").status_code == 200
    assert client.post("/readyz").status_code == 405


def test_it_is_not_ready_before_the_catalogue_is_loaded(catalogue: None) -> None:
    Gate.objects.all().delete()
    answered = Client().get("/readyz")
    assert answered.status_code == 503
    assert answered.json()["missing"] == ["The catalogue is not loaded: run manage.py setup."]


def test_it_is_not_ready_before_the_migrations_are_applied(catalogue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "unapplied", lambda: ["classifier.0099_more"])
    assert Client().get("/readyz").json()["missing"] == ["Migrations are not applied: run manage.py setup."]
    monkeypatch.undo()
    assert Client().get("/readyz").status_code == 200


def test_it_is_not_ready_without_its_database_and_reveals_nothing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError("password authentication failed for user me at 10.1.2.3")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", refuse)
        answered = Client().get("/readyz")
    assert answered.status_code == 503
    assert answered.json()["missing"] == ["The database cannot be reached."]
