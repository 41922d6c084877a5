"""Check the environment: secrets, hosts, encryption, folders, e-mail."""

import os
import smtplib
from collections.abc import Iterator

from django.conf import settings
from django.core.mail import get_connection

from ticketclf_site.observability import log_redaction
from ticketclf_site.operations.doctor import disk_space
from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn


def check_deployment() -> Iterator[Finding]:
    """Checks are stricter if other machines can reach the site."""
    is_open = not set(settings.ALLOWED_HOSTS) <= set(settings.THIS_MACHINE)
    yield _debug()
    yield _secret_key(is_open)
    yield from _addresses(is_open)
    yield _folder()
    yield disk_space.check_disk_space("disk space for files", settings.VAR_DIR)
    yield _mail()


def _debug() -> Finding:
    if settings.DEBUG:
        return fail("debug", "on; error pages show settings and ticket texts.", "Unset TICKETCLF_DEBUG.")
    return ok("debug", "off.")


def _secret_key(is_open: bool) -> Finding:
    path = settings.VAR_DIR / "secret_key"
    if os.environ.get("TICKETCLF_SECRET_KEY", "").strip():
        if len(settings.SECRET_KEY) < 40:
            return fail("secret key", "too short.", "Set TICKETCLF_SECRET_KEY to 50 random characters.")
        return ok("secret key", "from the environment.")
    if path.exists() and path.stat().st_mode & 0o077:
        return fail("secret key", f"other users can read {path}.", f"Run chmod 600 {path}.")
    if is_open:
        action = "If several machines serve the site, set TICKETCLF_SECRET_KEY to the same value on all."
        return warn("secret key", f"stored in {path}.", action)
    return ok("secret key", f"stored in {path}.")


def _addresses(is_open: bool) -> Iterator[Finding]:
    if "*" in settings.ALLOWED_HOSTS:
        yield fail("hosts", "every host name is accepted.", "List yours in TICKETCLF_ALLOWED_HOSTS.")
    else:
        yield ok("hosts", f"{', '.join(settings.ALLOWED_HOSTS)}.")
    if not is_open:
        yield ok("encryption", "not needed; only this machine can reach the site.")
    elif settings.SESSION_COOKIE_SECURE:
        yield ok("encryption", "cookies are sent over HTTPS only.")
    else:
        yield fail("encryption", "cookies are sent unencrypted.", "Serve over HTTPS, and set TICKETCLF_HTTPS=true.")
    if is_open and not settings.METRICS_TOKEN:
        action = "Set TICKETCLF_METRICS_TOKEN if a proxy runs on this machine."
        yield warn("metrics", "readable without a token from this machine.", action)


def _folder() -> Finding:
    if os.access(settings.VAR_DIR, os.W_OK):
        return ok("folder", f"{settings.VAR_DIR} is writable.")
    return fail(
        "folder", f"{settings.VAR_DIR} is not writable.", "Fix its permissions, or set TICKETCLF_VAR to another folder."
    )


def _mail() -> Finding:
    if not settings.EMAIL_HOST:
        return warn(
            "e-mail", "not configured; leads get no e-mail about alarms.", "Set the TICKETCLF_EMAIL_… variables."
        )
    try:
        with get_connection():
            return ok("e-mail", f"{settings.EMAIL_HOST} answers.")
    except (OSError, smtplib.SMTPException) as error:
        summary = f"{settings.EMAIL_HOST} cannot be used ({log_redaction.exception_kind(error)})."
        return fail("e-mail", summary, "Check the host, port, user, password and TLS setting in TICKETCLF_EMAIL_….")
