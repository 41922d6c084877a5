"""Doors for machines that look after this one: /livez, /readyz and /metrics.

They are answered before anything else: a probe comes by address, over plain HTTP, without the site's name, a session or
a language, and every few seconds.
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
        # Whoever asks every few seconds is told; the log need not be.
        response._has_been_logged = True
        return cast(HttpResponse, response)


def live(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    """Whether requests may be sent here, else what is missing."""
    missing = readiness.missing()
    return JsonResponse({"ready": not missing, "missing": missing}, status=503 if missing else 200)


def measured(request: HttpRequest) -> HttpResponse:
    """The metrics, for whoever has the token; without one, for this machine alone."""
    if not _may_read(request):
        return HttpResponse("Send TICKETCLF_METRICS_TOKEN as a bearer token.\n", "text/plain", status=403)
    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    forwarded = {"X-Forwarded-For", "Forwarded", "X-Real-Ip"} & set(request.headers)
    return request.META.get("REMOTE_ADDR") in THIS_MACHINE and not forwarded


_PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/livez": live, "/readyz": ready, "/metrics": measured}
