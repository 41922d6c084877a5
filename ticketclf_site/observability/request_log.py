"""Each request has an id, which its log lines and its answer bear, and one line of its own."""

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
from ticketclf_site.observability.logs import found_out

logger = logging.getLogger("ticketclf.access")

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SECRET_PARTS = {"key", "token", "uidb36", "uidb64"}
"""Names that parts of an address have which let somebody in."""


class RequestMiddleware:
    """Stands before all others that may refuse a request, so that refusals have a line too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        wanted, begun = request.headers.get(HEADER, ""), time.perf_counter()
        request_id = wanted if _WELL_FORMED.fullmatch(wanted) else uuid4().hex
        token = found_out.set(lambda: _who(request))
        try:
            with log_fields(request=request_id):
                response = self._get_response(request)
                _log(request, response, time.perf_counter() - begun)
        finally:
            found_out.reset(token)
        response[HEADER] = request_id
        return response


def _log(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    said = {"method": request.method, "path": _path(request), "status": response.status_code}
    logger.info("%(method)s %(path)s %(status)s", said, extra=said | {"ms": round(seconds * 1_000, 1)})


def _path(request: HttpRequest) -> str:
    """Without the query string; of an address that lets somebody in only its pattern."""
    match = request.resolver_match
    return f"/{match.route}" if match and _SECRET_PARTS & set(match.kwargs) else request.path


def _who(request: HttpRequest) -> dict[str, Any]:
    """The keys of the person and the API key, as far as they have been found out; nothing is asked for."""
    user, shown = getattr(request, "_cached_user", None), getattr(request, "auth", None)
    found = {"user": user, "api_key": shown if isinstance(shown, ApiKey) else None}
    return {name: one.pk for name, one in found.items() if one and one.pk}
