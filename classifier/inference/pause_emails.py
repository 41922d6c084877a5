"""E-mails leads and admins about a paused model, where e-mail is set up."""

import logging

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext as _

from classifier.models import Pause

logger = logging.getLogger(__name__)

PERMISSIONS = ("review.adjudicate", "classifier.change_provider")
"""Any of these makes a recipient."""


def send_once(pause: Pause) -> None:
    """Send one e-mail for each pause. One that cannot be sent is tried again after the next probe."""
    people = _recipients()
    if pause.emailed_at or not people:
        return
    text = [
        pause.detail,
        _("Tickets wait as new; they are classified once it answers again. Details and next steps:"),
        settings.SITE_URL + reverse("classifier:models"),
    ]
    try:
        send_mail(_("%s is paused") % pause.language_model, "\n\n".join(text), None, people)
    except Exception:
        logger.exception("The pause of %s could not be e-mailed; it will be tried again.", pause.language_model)
    else:
        Pause.objects.filter(pk=pause.pk).update(emailed_at=Now())


def _recipients() -> list[str]:
    backend = "django.contrib.auth.backends.ModelBackend"
    people = [person for name in PERMISSIONS for person in User.objects.with_perm(name, backend=backend)]
    return sorted({person.email for person in people if person.email})
