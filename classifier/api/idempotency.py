"""Replays the first reply to a request that is sent again with the same Idempotency-Key."""

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
    "description": "A unique value of your choice for each operation. If you send the request again within a day, you "
    "get the first reply with Idempotent-Replayed: true, and nothing is done twice.",
}
_STORED_HEADERS = ("Location", "Retry-After")
_RETRYABLE = {408, 425, 429}


def idempotent(view: View) -> View:
    """Decorate a view whose reply is replayed for the same Idempotency-Key; the middleware calls `store_reply`."""

    @wraps(view)
    def wrapper(request: Any, *args: Any, **values: Any) -> Any:
        name = request.headers.get(HEADER)
        if name is None:
            return view(request, *args, **values)
        reply = _begin(request, name)
        if reply.status is not None:
            return _replayed(reply)
        request.reply = reply
        return view(request, *args, **values)

    return cast(View, wrapper)


def store_reply(request: HttpRequest, response: HttpResponseBase) -> None:
    """Store the response for replay, unless it says to try again."""
    reply: StoredReply | None = getattr(request, "reply", None)
    if reply is None:
        return
    try:
        _complete_or_discard(reply, response)
    except DatabaseError:
        # The operation succeeded, so the caller still gets the response; a retry is told that it is in progress.
        logger.exception("Failed to store a reply.")


def _complete_or_discard(reply: StoredReply, response: HttpResponseBase) -> None:
    if response.status_code >= 500 or response.status_code in _RETRYABLE or not isinstance(response, HttpResponse):
        stored_replies.discard(reply)
    else:
        headers = {name: response[name] for name in (*_STORED_HEADERS, "Content-Type") if name in response}
        stored_replies.complete(reply, response.status_code, response.content.decode(), headers)


def _begin(request: Any, name: str) -> StoredReply:
    if not name or len(name) > 255 or not name.isascii() or not name.isprintable() or " " in name:
        raise Problem(400, f"{HEADER} must be 1 to 255 printable ASCII characters without spaces.")
    try:
        return stored_replies.begin(request.auth, name, _fingerprint(request))
    except KeyReused:
        reused = f"This {HEADER} was used for another request. Use a new one for each operation."
        raise Problem(422, reused, slug="idempotency-key-reused") from None
    except RequestInProgress:
        running = f"The first request with this {HEADER} is still in progress. Try again in a moment."
        raise Problem(409, running, slug="in-progress", headers={"Retry-After": "1"}) from None


def _fingerprint(request: HttpRequest) -> str:
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _replayed(reply: StoredReply) -> HttpResponse:
    headers = reply.headers | {"Idempotent-Replayed": "true"}
    return HttpResponse(reply.content, status=reply.status, headers=headers)
