"""Requests as the middleware leaves them, and what several views ask of them."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class HtmxHttpRequest(HttpRequest):
    """A request of somebody signed in; `htmx` is true where htmx sent it."""

    htmx: HtmxDetails
    user: User
