"""Calls the API as a program does."""

import json
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.test import Client

from classifier.api import keys
from classifier.models import ApiKey
from classifier.models.api_keys import Scope


class Caller(NamedTuple):
    """A program with an API key."""

    key: ApiKey
    shown: str
    client: Client

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers=self.headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """Underscores in header names become hyphens."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.client.post(f"/api/v1{path}", sent, "application/json", headers=self.headers | more)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.shown}"}


def caller(user: User, *scopes: str, **values: Any) -> Caller:
    """A caller with these scopes, or all. Server errors are answered with 500 as in production."""
    key, shown = keys.create_key("test", user, scopes or Scope.values, **values)
    return Caller(key, shown, Client(raise_request_exception=False))


def problem(response: Any, status: int, slug: str = "") -> dict[str, Any]:
    """The problem document (RFC 9457) of an error response."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "instance"} <= body.keys() <= {*body, "errors"}
    assert body["status"] == status
    assert body["type"] == (f"urn:ticketclf:problem:{slug}" if slug else "about:blank")
    return body
