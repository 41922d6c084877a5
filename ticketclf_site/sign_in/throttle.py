"""Throttled sign-in: the page that says how long to wait, and what is stored about failures."""

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
    """The page that says when to try again (429 with Retry-After)."""
    seconds = _seconds_to_wait(request, credentials)
    context = {"minutes": ceil(seconds / 60)}
    page = render(request, "registration/throttled.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page


def _seconds_to_wait(request: HttpRequest, credentials: dict[str, Any]) -> int:
    """An upper bound: earlier failures may expire before the latest."""
    attempts = AxesProxyHandler.get_implementation().get_user_attempts(request, credentials)
    latest = max(group.aggregate(at=Max("attempt_time"))["at"] or timezone.now() for group in attempts)
    remaining: timedelta = latest + get_cool_off(request) - timezone.now()
    return max(ceil(remaining.total_seconds()), 1)


def drop_form_data(instance: Any, **_signal: Any) -> None:
    """Store only the name and address of a failed attempt, nothing else that was sent."""
    instance.get_data = instance.post_data = ""
