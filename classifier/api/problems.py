"""Answers every API error with a problem document (RFC 9457) that says what to do."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from classifier.models import Gate
from classifier.models.contract import EmptyTaxonomy

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
SCHEMA = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:ticketclf:problem:missing-scope", "about:blank"]},
        "title": {"type": "string", "examples": ["Forbidden"]},
        "status": {"type": "integer", "examples": [403]},
        "detail": {"type": "string", "examples": ["This key lacks the scope tickets:read."]},
        "instance": {"type": "string", "examples": ["/api/v1/tickets"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"type": "string", "examples": ["body"]},
                    "pointer": {"type": "string", "examples": ["/tickets/0/text"]},
                    "detail": {"type": "string", "examples": ["Field required"]},
                },
            },
        },
    },
}
_DEFAULT_DETAILS = {
    400: "The request cannot be understood.",
    404: "Not found, or not visible to this key.",
    405: "Method not allowed; the Allow header lists the allowed ones.",
    413: "The request is too large. Send less at once.",
    500: "Something went wrong on our side. The error is logged; try again later.",
}
_RETRY_AFTER = "5"


class Problem(Exception):
    """An error response. `slug` names the kind where the status says too little."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        slug: str = "",
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.slug, self.errors, self.headers = status, detail, slug, errors, headers or {}

    def response(self, request: HttpRequest) -> HttpResponse:
        document: dict[str, Any] = {
            "type": f"urn:ticketclf:problem:{self.slug}" if self.slug else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": request.path,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        content = json.dumps(document, ensure_ascii=False)
        return HttpResponse(content, MEDIA_TYPE, self.status, headers=dict(self.headers))


def problem_response(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The problem that replaces one of Django's error pages."""
    status = response.status_code
    headers = {name: value for name, value in response.items() if name in ("Allow", "Retry-After")}
    detail = _DEFAULT_DETAILS.get(status, _DEFAULT_DETAILS[500] if status >= 500 else _DEFAULT_DETAILS[400])
    return Problem(status, detail, headers=headers).response(request)


def add_problem_handlers(api: NinjaAPI) -> None:
    """Make the API answer exceptions with problems. Django logs those that are not the caller's fault."""
    for exception, to_problem in _HANDLERS.items():
        api.add_exception_handler(exception, partial(_respond, to_problem))


def _respond(to_problem: Callable[[Any], Problem], request: HttpRequest, error: Any) -> HttpResponse:
    return to_problem(error).response(request)


def invalid_values(errors: Sequence[Mapping[str, Any]]) -> Problem:
    return Problem(422, "Some values are missing or wrong; `errors` lists them.", slug="invalid", errors=errors)


def _validation_problem(error: ValidationError) -> Problem:
    return invalid_values([_field_error(error) for error in error.errors])


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    source, *path = error["loc"]
    if source == "body":
        # The first part is the name of the view's parameter.
        path = path[1:]
    return {"in": str(source), "pointer": "".join(f"/{part}" for part in path), "detail": field_message(error)}


def field_message(error: Mapping[str, Any]) -> str:
    """What is wrong with a field, without pydantic's prefix."""
    return str(error["msg"]).removeprefix("Value error, ")


def _http_problem(error: HttpError) -> Problem:
    if isinstance(error.__cause__, Problem):
        return error.__cause__
    if error.status_code == 401:
        return Problem(
            401,
            "Send a valid API key that is neither revoked nor expired: Authorization: Bearer KEY.",
            headers={"WWW-Authenticate": 'Bearer realm="ticketclf"'},
        )
    return Problem(error.status_code, str(error))


def _database_problem(error: OperationalError) -> Problem:
    logger.error("Database error: %s", error)
    return Problem(503, "The database is unavailable. Try again.", headers={"Retry-After": _RETRY_AFTER})


def _setup_problem(error: Exception) -> Problem:
    detail = str(error) if isinstance(error, EmptyTaxonomy) else "Nothing is set up yet. Run `manage.py setup`."
    return Problem(503, detail, slug="not-set-up", headers={"Retry-After": _RETRY_AFTER})


_HANDLERS: dict[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda error: error,
    ValidationError: _validation_problem,
    HttpError: _http_problem,
    Http404: lambda error: Problem(404, _DEFAULT_DETAILS[404]),
    PermissionDenied: lambda error: Problem(403, "Permission denied."),
    RequestDataTooBig: lambda error: Problem(413, _DEFAULT_DETAILS[413]),
    OperationalError: _database_problem,
    EmptyTaxonomy: _setup_problem,
    Gate.DoesNotExist: _setup_problem,
}
