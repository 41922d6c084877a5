"""What all answers under /api/ have in common, those included that no operation gives."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from classifier.api import problems
from classifier.api.idempotency import store_reply
from classifier.api.rate_limits import WINDOW_SECONDS, RateLimitStatus

PREFIX = "/api/"


class ApiMiddleware:
    """Errors as problems, what is left of the allowance, and answers kept where that was asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if not request.path_info.startswith(PREFIX):
            return response
        if response.status_code >= 400 and response.get("Content-Type") != problems.MEDIA_TYPE:
            assert isinstance(response, HttpResponse)  # noqa: S101 - no error is streamed
            response = problems.problem_response(request, response)
        store_reply(request, response)
        if allowed := getattr(request, "allowed", None):
            _tell(response, allowed)
        return response


def _tell(response: HttpResponseBase, allowed: RateLimitStatus) -> None:
    """The header fields of draft-ietf-httpapi-ratelimit-headers."""
    response["RateLimit-Policy"] = f'"key";q={allowed.limit};w={WINDOW_SECONDS}'
    response["RateLimit"] = f'"key";r={allowed.left};t={allowed.seconds}'
