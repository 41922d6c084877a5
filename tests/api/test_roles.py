"""Which key may call which operation, for every scope and role. New operations have to be added here."""

from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User

from classifier.models.api_keys import Scope
from tests.api.caller import caller, problem
from ticketclf_site.api import api

EVERYBODY = {"agent", "lead", "admin"}
LEADS = {"lead", "admin"}


class Operation(NamedTuple):
    method: str
    path: str
    scope: str
    roles: set[str]


OPERATIONS = [
    Operation("post", "/classify", "classify", EVERYBODY),
    Operation("get", "/tickets", "tickets:read", EVERYBODY),
    Operation("post", "/tickets", "tickets:write", EVERYBODY),
    Operation("post", "/tickets/bulk", "tickets:write", EVERYBODY),
    Operation("get", "/tickets/{pk}", "tickets:read", EVERYBODY),
    Operation("get", "/tickets/{pk}/predictions", "tickets:read", EVERYBODY),
    Operation("get", "/tickets/{pk}/decisions", "decisions:read", LEADS),
    Operation("get", "/taxonomy", "taxonomy:read", EVERYBODY),
    Operation("get", "/models", "models:read", EVERYBODY),
    Operation("get", "/decisions", "decisions:read", LEADS),
    Operation("post", "/decisions", "decisions:write", EVERYBODY),
    Operation("get", "/benchmark/runs", "benchmark:read", LEADS),
    Operation("post", "/benchmark/runs", "benchmark:write", LEADS),
    Operation("get", "/benchmark/runs/{pk}", "benchmark:read", LEADS),
    Operation("get", "/datasets", "datasets:read", LEADS),
    Operation("get", "/datasets/{digest}", "datasets:read", LEADS),
    Operation("get", "/datasets/{digest}/export", "datasets:read", LEADS),
    Operation("get", "/certificates/current", "certificates:read", LEADS),
    Operation("get", "/certificates", "certificates:read", LEADS),
    Operation("get", "/certificates/alarms", "certificates:read", LEADS),
]
METHODS = {"get", "post", "put", "patch", "delete"}


def test_every_operation_has_its_row_and_says_which_scope_it_takes() -> None:
    schema = api.get_openapi_schema()
    documented = {
        (method, path.removeprefix("/api/v1"), operation["x-scope"])
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }
    assert documented == {(operation.method, operation.path, operation.scope) for operation in OPERATIONS}
    assert {operation.scope for operation in OPERATIONS} == set(Scope.values)


def request_as(client: Any, operation: Operation, method: str) -> Any:
    path = operation.path.replace("{pk}", "999999").replace("{digest}", "0" * 12)
    return (
        client.get(path)
        if method == "get"
        else client.client.generic(method.upper(), f"/api/v1{path}", "{}", "application/json", headers=client.headers)
    )


def test_a_key_allows_only_the_operations_of_its_scopes(admin: User, catalogue: None) -> None:
    wrong = {}
    for scope in Scope.values:
        own, others = caller(admin, scope), caller(admin, *(set(Scope.values) - {scope}))
        for operation in (operation for operation in OPERATIONS if operation.scope == scope):
            opened = request_as(own, operation, operation.method).status_code
            refused = problem(request_as(others, operation, operation.method), 403, "missing-scope")
            if opened not in (200, 404, 422) or scope not in refused["detail"]:
                wrong[operation.method, operation.path] = opened
    assert wrong == {}


@pytest.mark.parametrize("role", ["stranger", "agent", "lead", "admin"])
def test_a_key_may_do_no_more_than_its_person(
    role: str, catalogue: None, tom: User, ana: User, lea: User, admin: User
) -> None:
    client = caller({"stranger": tom, "agent": ana, "lead": lea, "admin": admin}[role], per_minute=0)
    methods: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        methods.setdefault(operation.path, set()).add(operation.method)
    wrong = {}
    for operation in OPERATIONS:
        answer = request_as(client, operation, operation.method)
        if role in operation.roles:
            right = answer.status_code in (200, 404, 422)
        else:
            right = "permission" in problem(answer, 403, "missing-permission")["detail"]
        if not right:
            wrong[operation.method, operation.path] = answer.status_code
        for method in METHODS - methods[operation.path]:
            problem(request_as(client, operation, method), 405)
    assert wrong == {}


def test_a_visitor_has_no_api_access(client: Any, db: None) -> None:
    for operation in OPERATIONS:
        path = operation.path.replace("{pk}", "1").replace("{digest}", "0" * 12)
        problem(client.generic(operation.method.upper(), f"/api/v1{path}"), 401)
