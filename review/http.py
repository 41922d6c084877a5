"""The request type and the answer key that several views share."""

from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class HtmxHttpRequest(HttpRequest):
    """A signed-in request; `htmx` is truthy if htmx sent it."""

    htmx: HtmxDetails
    user: User


def answer_key(request: HttpRequest) -> UUID:
    """The key that makes a form idempotent; a new one if the page sent none or an invalid one."""
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()
