"""E-mail the leads about alarms, where e-mail is set up."""

import logging
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from review.models import Alarm

logger = logging.getLogger(__name__)

MAX_AGE = timedelta(days=1)
"""Older alarms are no longer e-mailed; the page still shows them."""


def send_pending() -> None:
    """E-mail every recent alarm that was not e-mailed yet; failures are retried on the next run."""
    fresh = timezone.now() - MAX_AGE
    for alarm in (
        Alarm.objects.filter(emailed_at=None, raised_at__gt=fresh)
        .select_related("epoch__language_model")
        .order_by("pk")
    ):
        try:
            _send(alarm)
        except Exception:
            logger.exception("Alarm %s could not be e-mailed to the leads; it will be retried.", alarm.pk)
        else:
            Alarm.objects.filter(pk=alarm.pk).update(emailed_at=timezone.now())


def _send(alarm: Alarm) -> None:
    if people := _recipients():
        lines = [
            _("Every ticket has gone to review since. Details and next steps:"),
            settings.SITE_URL + reverse("review:certification"),
        ]
        send_mail(_("Auto-accept is stopped: %s") % alarm.get_kind_display(), "\n\n".join(lines), None, people)


def _recipients() -> list[str]:
    """Addresses of the active people who may set the accuracy target."""
    people = User.objects.with_perm("review.set_accuracy_target", backend="django.contrib.auth.backends.ModelBackend")
    return sorted({person.email for person in people.filter(is_active=True) if person.email})
