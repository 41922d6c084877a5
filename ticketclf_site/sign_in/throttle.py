"""Throttled sign-in: a name and address, or a name on a known device, that keep failing wait ever longer."""

from datetime import timedelta
from math import ceil
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from ticketclf_site.sign_in import known_device

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=10), timedelta(days=1)


LIMIT, LIMIT_OF_KNOWN_DEVICE = 8, 5
"""Failures before the first wait."""


class GrowingLockout(AxesDatabaseHandler):
    """Ten minutes after the eighth failure, and twice as long after each further one, up to a day. A known device has
    a limit and a count of its own.
    """

    def filter_user_attempts(self, request: Any, credentials: dict[str, Any] | None = None) -> list[QuerySet[Any]]:
        """Failures that count for this attempt."""
        name = get_client_username(request, credentials)
        if device := known_device.device_of(request, name):
            # Under this name a failure is stored, and it is known to nobody else.
            request.axes_user_agent = device
            return [AccessAttempt.objects.filter(username=name, user_agent=device)]
        attempts: list[QuerySet[Any]] = super().filter_user_attempts(request, credentials)
        return attempts

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        return self.seconds_to_wait(request, credentials) > 0

    def seconds_to_wait(self, request: HttpRequest, credentials: dict[str, Any] | None) -> int:
        """Seconds until this name may try again from this address; 0 if it may now."""
        (attempts,) = self.get_user_attempts(request, credentials)
        pair = attempts.aggregate(failures=Sum("failures_since_start"), latest=Max("attempt_time"))
        excess = (pair["failures"] or 0) - failure_limit(request, credentials)
        if excess < 0:
            return 0
        wait = min(FIRST_WAIT * 2 ** min(excess, 10), LONGEST_WAIT)
        remaining: timedelta = pair["latest"] + wait - timezone.now()
        return max(ceil(remaining.total_seconds()), 0)


def failure_limit(request: HttpRequest, credentials: dict[str, Any] | None) -> int:
    """After how many failures an attempt has to wait."""
    is_known = known_device.device_of(request, get_client_username(request, credentials))
    return LIMIT_OF_KNOWN_DEVICE if is_known else LIMIT


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """The page that says when to try again (429 with Retry-After), and offers to sign in without a password."""
    seconds = max(AxesProxyHandler.get_implementation().seconds_to_wait(request, credentials), 1)
    context = {"minutes": ceil(seconds / 60), "oidc_name": settings.OIDC_NAME}
    page = render(request, "registration/throttled.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page


def drop_form_data(instance: Any, **_signal: Any) -> None:
    """Store only the name and address of a failed attempt, nothing else that was sent."""
    instance.get_data = instance.post_data = ""
