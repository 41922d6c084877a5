"""Every error of the API as a problem (RFC 9457), with what to do about it."""

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
_USUAL = {
    400: "The request cannot be understood.",
    404: "There is nothing at this address, or nothing that this key may know of.",
    405: "This address does not take that method; the header Allow names those that it takes.",
    413: "The request is too large: send less at once.",
    500: "Something went wrong here. It is logged; try again later.",
}
_WAIT = "5"


class Problem(Exception):
    """An answer that says what is wrong and what to do. `slug` names the kind, where its status says too little."""

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
        told: dict[str, Any] = {
            "type": f"urn:ticketclf:problem:{self.slug}" if self.slug else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": request.path,
        }
        if self.errors:
            told["errors"] = list(self.errors)
        content = json.dumps(told, ensure_ascii=False)
        return HttpResponse(content, MEDIA_TYPE, self.status, headers=dict(self.headers))


def problem_response(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The problem in place of a page of Django's that tells of an error."""
    status = response.status_code
    headers = {name: value for name, value in response.items() if name in ("Allow", "Retry-After")}
    detail = _USUAL.get(status, _USUAL[500] if status >= 500 else _USUAL[400])
    return Problem(status, detail, headers=headers).response(request)


def add_problem_handlers(api: NinjaAPI) -> None:
    """Have the API answer with problems; what is no error of the caller's is logged by Django, and told by nobody."""
    for kind, of in _HANDLERS.items():
        api.add_exception_handler(kind, partial(_answer, of))


def _answer(of: Callable[[Any], Problem], request: HttpRequest, error: Any) -> HttpResponse:
    return of(error).response(request)


def _of_fields(error: ValidationError) -> Problem:
    errors = [_of_field(one) for one in error.errors]
    return Problem(422, "Some values are missing or wrong; `errors` names each.", slug="invalid", errors=errors)


def _of_field(one: Mapping[str, Any]) -> dict[str, str]:
    place, *path = one["loc"]
    if place == "body":
        # The first part is what our code calls the body.
        path = path[1:]
    return {"in": str(place), "pointer": "".join(f"/{part}" for part in path), "detail": field_message(one)}


def field_message(error: Mapping[str, Any]) -> str:
    """What is wrong with a field, in words of pydantic or ours."""
    return str(error["msg"]).removeprefix("Value error, ")


def _of_http(error: HttpError) -> Problem:
    if isinstance(error.__cause__, Problem):
        return error.__cause__
    if error.status_code == 401:
        return Problem(
            401,
            "Send a key of this installation, one that is neither revoked nor expired: Authorization: Bearer KEY.",
            headers={"WWW-Authenticate": 'Bearer realm="ticketclf"'},
        )
    return Problem(error.status_code, str(error))


def _of_database(error: OperationalError) -> Problem:
    logger.error("The database could not be asked: %s", error)
    return Problem(503, "The database cannot be reached or written. Try again.", headers={"Retry-After": _WAIT})


def _not_ready(error: Exception) -> Problem:
    detail = str(error) if isinstance(error, EmptyTaxonomy) else "Nothing is set up yet: run `manage.py setup`."
    return Problem(503, detail, slug="not-set-up", headers={"Retry-After": _WAIT})


_HANDLERS: dict[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda error: error,
    ValidationError: _of_fields,
    HttpError: _of_http,
    Http404: lambda error: Problem(404, _USUAL[404]),
    PermissionDenied: lambda error: Problem(403, "This is not allowed."),
    RequestDataTooBig: lambda error: Problem(413, _USUAL[413]),
    OperationalError: _of_database,
    EmptyTaxonomy: _not_ready,
    Gate.DoesNotExist: _not_ready,
}
