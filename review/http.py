"""What several views share: permissions, the request type, the key of an answer."""

from uuid import UUID, uuid4

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

reviewer_required = permission_required("review.add_decision", raise_exception=True)
lead_required = permission_required("review.adjudicate", raise_exception=True)


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
