"""Requests with an Idempotency-Key: sent again, they are answered as the first time and do nothing."""

import hashlib
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from classifier.api import stored_replies
from classifier.api.problems import Problem
from classifier.api.stored_replies import KeyReused, RequestInProgress
from classifier.models import StoredReply

logger = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

HEADER = "Idempotency-Key"
PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Of your own making, new for each thing to be done. Sent again within a day the request is answered "
    "as the first time, with Idempotent-Replayed: true.",
}
_KEPT_HEADERS = ("Location", "Retry-After")
_PASSING = {408, 425, 429}


def idempotent(view: View) -> View:
    """A view whose answer is kept where the request has an Idempotency-Key; `finish` does that when it is there."""

    @wraps(view)
    def kept(request: Any, *args: Any, **values: Any) -> Any:
        name = request.headers.get(HEADER)
        if name is None:
            return view(request, *args, **values)
        reply = _begin(request, name)
        if reply.status is not None:
            return _replayed(reply)
        request.reply = reply
        return view(request, *args, **values)

    return cast(View, kept)


def store_reply(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep the answer; one that says to try again is not worth keeping."""
    reply: StoredReply | None = getattr(request, "reply", None)
    if reply is None:
        return
    try:
        _settle(reply, response)
    except DatabaseError:
        # What was done is done, and its caller hears of it; sent again soon, the request is still under way.
        logger.exception("A reply could not be kept.")


def _settle(reply: StoredReply, response: HttpResponseBase) -> None:
    if response.status_code >= 500 or response.status_code in _PASSING or not isinstance(response, HttpResponse):
        stored_replies.discard(reply)
    else:
        headers = {name: response[name] for name in (*_KEPT_HEADERS, "Content-Type") if name in response}
        stored_replies.complete(reply, response.status_code, response.content.decode(), headers)


def _begin(request: Any, name: str) -> StoredReply:
    if not name or len(name) > 255 or not name.isascii() or not name.isprintable() or " " in name:
        raise Problem(400, f"{HEADER} has 1 to 255 printable ASCII characters and no space.")
    try:
        return stored_replies.begin(request.auth, name, _fingerprint(request))
    except KeyReused:
        used = f"This {HEADER} was used for another request; take a new one for each thing to be done."
        raise Problem(422, used, slug="idempotency-key-reused") from None
    except RequestInProgress:
        waits = "The first request with this Idempotency-Key is still under way; ask again in a moment."
        raise Problem(409, waits, slug="under-way", headers={"Retry-After": "1"}) from None


def _fingerprint(request: HttpRequest) -> str:
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _replayed(reply: StoredReply) -> HttpResponse:
    headers = reply.headers | {"Idempotent-Replayed": "true"}
    return HttpResponse(reply.content, status=reply.status, headers=headers)
