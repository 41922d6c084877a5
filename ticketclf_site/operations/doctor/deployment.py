"""What is set from outside: secrets, addresses, encryption, folders, e-mail."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Iterator

from django.conf import settings
from django.core.mail import get_connection

from ticketclf_site.observability import log_redaction
from ticketclf_site.operations.doctor import disk_space
from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn


def examine() -> Iterator[Finding]:
    """Of a site that only this machine can call less is wanted than of one that others can."""
    is_open = not set(settings.ALLOWED_HOSTS) <= set(settings.THIS_MACHINE)
    yield _debug()
    yield _secret_key(is_open)
    yield from _addresses(is_open)
    yield _folder()
    yield disk_space.on_disk("room for files", settings.VAR_DIR)
    yield _mail()


def _debug() -> Finding:
    if settings.DEBUG:
        return fail("debug", "on: pages of errors show settings and texts.", "Unset TICKETCLF_DEBUG.")
    return ok("debug", "off.")


def _secret_key(is_open: bool) -> Finding:
    kept_in = settings.VAR_DIR / "secret_key"
    if os.environ.get("TICKETCLF_SECRET_KEY", "").strip():
        if len(settings.SECRET_KEY) < 40:
            return fail("secret key", "too short to hold.", "Set TICKETCLF_SECRET_KEY to 50 random characters.")
        return ok("secret key", "from the environment.")
    if kept_in.exists() and kept_in.stat().st_mode & 0o077:
        return fail("secret key", f"others on this machine can read {kept_in}.", f"Run chmod 600 {kept_in}.")
    if is_open:
        to_do = "Set TICKETCLF_SECRET_KEY where more than one machine serves, so that all have the same."
        return warn("secret key", f"kept in {kept_in}.", to_do)
    return ok("secret key", f"kept in {kept_in}.")


def _addresses(is_open: bool) -> Iterator[Finding]:
    if "*" in settings.ALLOWED_HOSTS:
        yield fail("hosts", "any name is served.", "Name yours in TICKETCLF_ALLOWED_HOSTS.")
    else:
        yield ok("hosts", f"{', '.join(settings.ALLOWED_HOSTS)}.")
    if not is_open:
        yield ok("encryption", "not needed: only this machine can call.")
    elif settings.SESSION_COOKIE_SECURE:
        yield ok("encryption", "cookies go over HTTPS only.")
    else:
        yield fail("encryption", "cookies go in the clear.", "Serve over HTTPS, and set TICKETCLF_HTTPS=true.")
    if is_open and not settings.METRICS_TOKEN:
        to_do = "Set TICKETCLF_METRICS_TOKEN where a proxy on this machine passes requests on."
        yield warn("metrics", "for whatever calls from this machine.", to_do)


def _folder() -> Finding:
    if os.access(settings.VAR_DIR, os.W_OK):
        return ok("folder", f"{settings.VAR_DIR} can be written.")
    return fail("folder", f"{settings.VAR_DIR} cannot be written.", "Let its owner run this, or set TICKETCLF_VAR.")


def _mail() -> Finding:
    if not settings.EMAIL_HOST:
        return warn("e-mail", "none: leads are not told of alarms.", "Set TICKETCLF_EMAIL_HOST, and the others.")
    try:
        with get_connection():
            return ok("e-mail", f"{settings.EMAIL_HOST} answers.")
    except (OSError, smtplib.SMTPException) as error:
        said = f"{settings.EMAIL_HOST} does not ({log_redaction.kind_of(error)})."
        return fail("e-mail", said, "Check TICKETCLF_EMAIL_HOST, its port, user, password and TLS.")
