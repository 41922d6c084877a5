"""Random requests, valid and invalid, get the answers that the schema describes."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from review.gold import snapshots
from tests.api.caller import caller
from tests.factories import configure_review, make_gold, make_ticket, send_to_review

PROMISED = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
# Refused methods are tested with the roles.
schema.config.phases.coverage.unexpected_methods = set()


@pytest.fixture(autouse=True)
def connected() -> Iterator[None]:
    """Keeps the connection open between requests, since it holds the test's transaction."""
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


@pytest.fixture
def key(catalogue: None, admin: User) -> str:
    configure_review()
    send_to_review(make_ticket())
    make_gold()
    snapshots.create_snapshot()
    return caller(admin, per_minute=0).shown


@schema.parametrize()
@hypothesis.settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_answer_matches_the_schema(case: schemathesis.Case[Any], key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    case.call_and_validate(headers=headers, checks=PROMISED)


def test_the_schema_is_openapi_3_1_and_has_a_page(client: Client) -> None:
    schema = client.get("/api/v1/openapi.json").json()
    assert schema["openapi"] == "3.1.0"
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["security"] == [{"ApiKeyAuth": []}]
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    assert b"swagger-ui-init.js" in page.content
