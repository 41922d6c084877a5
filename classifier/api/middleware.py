"""Turns every error under /api/ into a problem, reports the rate limit and stores replies for replay."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from classifier.api import problems
from classifier.api.idempotency import store_reply
from classifier.api.rate_limits import WINDOW_SECONDS, RateLimitStatus

PREFIX = "/api/"


class ApiMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        method = request.method
        request.method = "GET" if method == "HEAD" else method
        response = self._get_response(request)
        request.method = method
        if response.status_code >= 400 and response.get("Content-Type") != problems.MEDIA_TYPE:
            assert isinstance(response, HttpResponse)  # noqa: S101 - no error is streamed
            response = problems.problem_response(request, response)
        store_reply(request, response)
        if status := getattr(request, "rate_limit", None):
            _add_rate_limit_headers(response, status)
        return response


def _add_rate_limit_headers(response: HttpResponseBase, status: RateLimitStatus) -> None:
    """As in draft-ietf-httpapi-ratelimit-headers."""
    response["RateLimit-Policy"] = f'"key";q={status.limit};w={WINDOW_SECONDS}'
    response["RateLimit"] = f'"key";r={status.remaining};t={status.reset_seconds}'
