"""Requests as the middleware leaves them, and what several views ask of them."""

from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class HtmxHttpRequest(HttpRequest):
    """A request of somebody signed in; `htmx` is true where htmx sent it."""

    htmx: HtmxDetails
    user: User


def answer_key(request: HttpRequest) -> UUID:
    """The key of an answer, made here where the page sent none that is one."""
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()
