"""Telling the leads of alarms: by e-mail and by a webhook, where these are set up; the page tells in any case."""

from __future__ import annotations

import json
import logging
import urllib.request
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from review.models import Alarm

logger = logging.getLogger(__name__)

SECONDS = 5.0
FOR_SO_LONG = timedelta(days=1)
"""An alarm that could not be told by then is left to the page."""


def tell() -> None:
    """Tell of alarms that nobody was told of; what fails is tried again the next time."""
    fresh = timezone.now() - FOR_SO_LONG
    for alarm in Alarm.objects.filter(told_at=None, raised_at__gt=fresh).select_related("epoch__spec").order_by("pk"):
        try:
            _send(alarm)
        except Exception:
            logger.exception("The leads could not be told of alarm %s; it is tried again.", alarm.pk)
        else:
            Alarm.objects.filter(pk=alarm.pk).update(told_at=timezone.now())


def _send(alarm: Alarm) -> None:
    subject = _("Auto-accept is stopped: %s") % alarm.get_kind_display()
    page = settings.SITE_URL + reverse("review:assurance")
    if people := _leads():
        lines = [_("Since then every ticket goes to people again. What was seen, and what to do:"), page]
        send_mail(subject, "\n\n".join(lines), None, people)
    if settings.ALARM_WEBHOOK:
        _post(settings.ALARM_WEBHOOK, {"alarm": alarm.pk, "kind": alarm.kind, "state": alarm.state, "page": page})


def _leads() -> list[str]:
    """Addresses of those who answer for the promise."""
    people = User.objects.with_perm("review.promise", backend="django.contrib.auth.backends.ModelBackend")
    return sorted({person.email for person in people.filter(is_active=True) if person.email})


def _post(url: str, payload: dict[str, object]) -> None:
    """Raises OSError where the address does not answer well."""
    body = json.dumps(payload).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - http(s), see settings
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310 - the same
        pass
