"""Sign-in is throttled: what somebody is told who has to wait, and how little is stored of failures."""

from datetime import timedelta
from math import ceil
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """A page that says when to try again, in place of the one that would have been the answer."""
    seconds = _seconds_to_wait(request, credentials)
    context = {"minutes": ceil(seconds / 60)}
    page = render(request, "registration/throttled.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page


def _seconds_to_wait(request: HttpRequest, credentials: dict[str, Any]) -> int:
    """At the most: earlier failures may be forgotten before the latest is."""
    attempts = AxesProxyHandler.get_implementation().get_user_attempts(request, credentials)
    latest = max(found.aggregate(at=Max("attempt_time"))["at"] or timezone.now() for found in attempts)
    left: timedelta = latest + get_cool_off(request) - timezone.now()
    return max(ceil(left.total_seconds()), 1)


def forget_form(instance: Any, **_signal: Any) -> None:
    """Failures are counted by name and address; nothing else that was sent is stored."""
    instance.get_data = instance.post_data = ""
