"""Health and metrics endpoints: /livez, /readyz and /metrics.

A middleware answers them before anything else: probes come every few seconds, by IP address and over plain HTTP, with
no host name, session or language.
"""

import secrets
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase

from ticketclf_site.observability import metrics, readiness

THIS_MACHINE = {"127.0.0.1", "::1"}


class ProbeMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = _PROBES.get(request.path_info)
        if probe is None:
            return self._get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response: Any = probe(request)
        response["Cache-Control"] = "no-store"
        # Keeps Django from logging a failed probe every few seconds.
        response._has_been_logged = True
        return cast(HttpResponse, response)


def live(request: HttpRequest) -> HttpResponse:
    """The process is running; the database is not checked."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    """200 if this process can serve requests, else 503 and what is missing."""
    missing = readiness.missing()
    return JsonResponse({"ready": not missing, "missing": missing}, status=503 if missing else 200)


def prometheus(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for clients with the token; if none is set, for this machine only."""
    if not _may_read(request):
        return HttpResponse("Send TICKETCLF_METRICS_TOKEN as a bearer token.\n", "text/plain", status=403)
    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer"
        return is_bearer and secrets.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())
    forwarded = {"X-Forwarded-For", "Forwarded", "X-Real-Ip"} & set(request.headers)
    return request.META.get("REMOTE_ADDR") in THIS_MACHINE and not forwarded


_PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/livez": live, "/readyz": ready, "/metrics": prometheus}
