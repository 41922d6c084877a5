"""Remembers on which devices a person has signed in, so that others' failures don't keep them out there.

A cookie per person and device holds a random number, signed with the person's password hash: a new password ends it.
"""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

LIFETIME = timedelta(days=90)
PREFIX = "device-"


def remember(request: HttpRequest, user: User, response: HttpResponse | None = None, **_signal: Any) -> None:
    """Give the device a cookie for this person, who has signed in with all that it takes."""
    if response is None or not user.has_usable_password():
        return
    response.set_cookie(
        _cookie(user),
        _signer(user).sign(secrets.token_urlsafe(16)),
        max_age=LIFETIME,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def device_of(request: HttpRequest, name: str | None) -> str:
    """What identifies the device if the person of this name has signed in on it; else empty (a query if anybody
    has).
    """
    if not name or not any(cookie.startswith(PREFIX) for cookie in request.COOKIES):
        return ""
    user = User.objects.filter(username=name).first()
    if user is None:
        return ""
    try:
        return PREFIX + _signer(user).unsign(request.COOKIES.get(_cookie(user), ""), max_age=LIFETIME)
    except BadSignature:
        return ""


def _cookie(user: User) -> str:
    return PREFIX + salted_hmac("ticketclf known device", str(user.pk)).hexdigest()[:16]


def _signer(user: User) -> TimestampSigner:
    return TimestampSigner(salt=f"ticketclf known device {user.pk} {user.password}")
