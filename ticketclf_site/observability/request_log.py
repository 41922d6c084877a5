"""Give each request an id, shown in its log lines and its response, and log one line for it."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from classifier.log_context import log_fields
from classifier.models import ApiKey
from ticketclf_site.observability.logs import request_identity

logger = logging.getLogger("ticketclf.access")

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SECRET_PARTS = {"key", "token", "uidb36", "uidb64"}
"""URL parameters that would let someone in."""


class RequestMiddleware:
    """Comes before any middleware that may refuse a request, so that refusals are logged too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        requested_id, started = request.headers.get(HEADER, ""), time.perf_counter()
        request_id = requested_id if _WELL_FORMED.fullmatch(requested_id) else uuid4().hex
        token = request_identity.set(lambda: _identity(request))
        try:
            with log_fields(request=request_id):
                response = self._get_response(request)
                _log(request, response, time.perf_counter() - started)
        finally:
            request_identity.reset(token)
        response[HEADER] = request_id
        response.headers.setdefault("Cache-Control", "no-store")  # pages show tickets; static files say otherwise
        return response


def _log(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    fields = {"method": request.method, "path": _path(request), "status": response.status_code}
    logger.info("%(method)s %(path)s %(status)s", fields, extra=fields | {"ms": round(seconds * 1_000, 1)})


def _path(request: HttpRequest) -> str:
    """The path without its query string; if it contains a secret, only the URL pattern."""
    match = request.resolver_match
    return f"/{match.route}" if match and _SECRET_PARTS & set(match.kwargs) else request.path


def _identity(request: HttpRequest) -> dict[str, Any]:
    """Primary keys of the user and the API key, if already loaded; queries nothing."""
    user, auth = getattr(request, "_cached_user", None), getattr(request, "auth", None)
    known = {"user": user, "api_key": auth if isinstance(auth, ApiKey) else None}
    return {name: record.pk for name, record in known.items() if record and record.pk}
