"""Which key may call which operation, for every scope and role. New operations have to be added here."""

from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User

from classifier.models.api_keys import Scope
from tests.api.caller import caller, problem
from ticketclf_site.api import api

EVERYBODY = {"agent", "lead", "admin"}
LEADS = {"lead", "admin"}


class Door(NamedTuple):
    method: str
    path: str
    scope: str
    open_to: set[str]


DOORS = [
    Door("post", "/classify", "classify", EVERYBODY),
    Door("get", "/tickets", "tickets:read", EVERYBODY),
    Door("post", "/tickets", "tickets:write", EVERYBODY),
    Door("post", "/tickets/bulk", "tickets:write", EVERYBODY),
    Door("get", "/tickets/{pk}", "tickets:read", EVERYBODY),
    Door("get", "/tickets/{pk}/predictions", "tickets:read", EVERYBODY),
    Door("get", "/tickets/{pk}/decisions", "decisions:read", LEADS),
    Door("get", "/taxonomy", "taxonomy:read", EVERYBODY),
    Door("get", "/models", "models:read", EVERYBODY),
    Door("get", "/decisions", "decisions:read", LEADS),
    Door("post", "/decisions", "decisions:write", EVERYBODY),
    Door("get", "/benchmark/runs", "benchmark:read", LEADS),
    Door("post", "/benchmark/runs", "benchmark:write", LEADS),
    Door("get", "/benchmark/runs/{pk}", "benchmark:read", LEADS),
    Door("get", "/datasets", "datasets:read", LEADS),
    Door("get", "/datasets/{digest}", "datasets:read", LEADS),
    Door("get", "/datasets/{digest}/export", "datasets:read", LEADS),
    Door("get", "/certificates/current", "certificates:read", LEADS),
    Door("get", "/certificates", "certificates:read", LEADS),
    Door("get", "/certificates/alarms", "certificates:read", LEADS),
]
METHODS = {"get", "post", "put", "patch", "delete"}


def test_every_operation_has_its_row_and_says_which_scope_it_takes() -> None:
    schema = api.get_openapi_schema()
    documented = {
        (method, path.removeprefix("/api/v1"), operation["x-scope"])
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }
    assert documented == {(door.method, door.path, door.scope) for door in DOORS}
    assert {door.scope for door in DOORS} == set(Scope.values)


def knock(client: Any, door: Door, method: str) -> Any:
    path = door.path.replace("{pk}", "999999").replace("{digest}", "0" * 12)
    return (
        client.get(path)
        if method == "get"
        else client.client.generic(method.upper(), f"/api/v1{path}", "{}", "application/json", headers=client.headers)
    )


def test_a_key_allows_only_the_operations_of_its_scopes(admin: User, catalogue: None) -> None:
    wrong = {}
    for scope in Scope.values:
        own, others = caller(admin, scope), caller(admin, *(set(Scope.values) - {scope}))
        for door in (door for door in DOORS if door.scope == scope):
            opened = knock(own, door, door.method).status_code
            refused = problem(knock(others, door, door.method), 403, "missing-scope")
            if opened not in (200, 404, 422) or scope not in refused["detail"]:
                wrong[door.method, door.path] = opened
    assert wrong == {}


@pytest.mark.parametrize("role", ["stranger", "agent", "lead", "admin"])
def test_a_key_may_do_no_more_than_its_person(
    role: str, catalogue: None, tom: User, ana: User, lea: User, admin: User
) -> None:
    client = caller({"stranger": tom, "agent": ana, "lead": lea, "admin": admin}[role], per_minute=0)
    methods: dict[str, set[str]] = {}
    for door in DOORS:
        methods.setdefault(door.path, set()).add(door.method)
    wrong = {}
    for door in DOORS:
        answer = knock(client, door, door.method)
        if role in door.open_to:
            right = answer.status_code in (200, 404, 422)
        else:
            right = "permission" in problem(answer, 403, "missing-permission")["detail"]
        if not right:
            wrong[door.method, door.path] = answer.status_code
        for method in METHODS - methods[door.path]:
            problem(knock(client, door, method), 405)
    assert wrong == {}


def test_a_visitor_has_no_api_access(client: Any, db: None) -> None:
    for door in DOORS:
        path = door.path.replace("{pk}", "1").replace("{digest}", "0" * 12)
        problem(client.generic(door.method.upper(), f"/api/v1{path}"), 401)
