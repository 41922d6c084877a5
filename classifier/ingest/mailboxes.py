"""Messages in mailboxes become tickets, each once.

A message is marked as seen only after it was stored. One that was stored when a worker died is found again, and known
by its name.
"""

from __future__ import annotations

import hashlib
import imaplib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from imap_tools import ImapToolsError, MailboxLoginError, MailMessage

from classifier.ingest import message_text, storing
from classifier.ingest.imap import ImapFolder
from classifier.leases import leases
from classifier.models import Mailbox, Ticket
from classifier.security import ssrf
from classifier.security.secrets_from_env import MissingSecret, require_secret
from classifier.text import LONGEST_TICKET, storable

logger = logging.getLogger(__name__)

POLL_INTERVAL, RETRY_INTERVAL = timedelta(seconds=60), timedelta(minutes=5)
CHUNK = 20
MAX_PER_FETCH = 200
MAX_MESSAGE_BYTES = 2_097_152
"""Of a message so much is fetched: its text comes before what is attached."""
BULK = {"bulk", "junk", "list", "auto_reply"}
MAX_AGE = timedelta(days=3_650)


def fetch_due() -> bool:
    """Look into each mailbox whose turn it is. Returns whether one has more messages."""
    more = False
    for mailbox in Mailbox.objects.due():
        with leases.hold(Mailbox.objects.due().filter(pk=mailbox.pk)) as held:
            for taken in held:
                more |= _fetch(taken)
    return more


def fetch_soon(mailbox_pks: Sequence[int]) -> None:
    """Have a worker look into these without waiting for their turn; one that is being looked into waits for it."""
    Mailbox.objects.filter(pk__in=mailbox_pks, owner=None).release()


def _fetch(mailbox: Mailbox) -> bool:
    error, more = "", False
    try:
        more = _take_in(mailbox)
    except MailboxLoginError:
        error = _("The server refuses this user and password; look at %s.") % mailbox.password_env
    except (MissingSecret, ssrf.ForbiddenAddress, ImapToolsError, imaplib.IMAP4.error, OSError) as fault:
        error = str(fault)[:300] or type(fault).__name__
    pause = RETRY_INTERVAL if error else timedelta() if more else POLL_INTERVAL
    mailbox.still_held.release(pause, checked_at=Now(), error=error)
    return more


def _take_in(mailbox: Mailbox) -> bool:
    """Whether there are more messages than are taken at a time."""
    with ImapFolder(mailbox, require_secret(mailbox.password_env)) as box:
        unseen = box.unseen()
        taken = unseen[:MAX_PER_FETCH]
        for start in range(0, len(taken), CHUNK):
            uids = taken[start : start + CHUNK]
            _store(mailbox, [box.peek(uid, MAX_MESSAGE_BYTES) for uid in uids])
            box.mark_seen(uids)
    return len(unseen) > len(taken)


def _store(mailbox: Mailbox, messages: Sequence[bytes]) -> None:
    rows = [row for message in messages if (row := _readable(mailbox, message))]
    received = storing.store_many(mailbox.source, rows)
    Mailbox.objects.filter(pk=mailbox.pk).update(
        stored=F("stored") + received.stored, skipped=F("skipped") + len(messages) - len(rows)
    )


def _readable(mailbox: Mailbox, raw: bytes) -> dict[str, Any] | None:
    try:
        return ticket_fields(raw)
    except Exception as fault:
        # Strangers write these. The text of the error may quote them, so only its kind is told.
        logger.warning("A message in %s cannot be read (%s) and is skipped.", mailbox.slug, type(fault).__name__)
        return None


def ticket_fields(raw: bytes) -> dict[str, Any] | None:
    """Keyword arguments of Ticket; None of what a machine has sent, and of what says nothing.

    The plain text goes before HTML; what repeats an earlier message is left out, and so is what is attached.
    """
    message = MailMessage.from_bytes(raw)
    if _is_automatic(message):
        return None
    body = message_text.without_quoted_reply(
        storable(message.text) or message_text.html_to_text(storable(message.html))
    )
    text = message_text.with_subject(storable(message.subject), body)[:LONGEST_TICKET]
    if not text.strip():
        return None
    return {
        "external_id": _name_of(message, raw),
        "text": text,
        "customer": storable(message.from_)[:254],
        "channel": "email",
        "received_at": _sent_at(message),
    }


def _is_automatic(message: MailMessage) -> bool:
    """Replies of machines (RFC 3834), lists, and bounces (RFC 3464)."""
    names = ("Auto-Submitted", "Precedence", "Return-Path")
    submitted, precedence, back_to = (str(message.obj.get(name, "")).strip().lower() for name in names)
    answers = submitted.partition(";")[0].strip() not in ("", "no")
    bounces = message.obj.get_content_type() == "multipart/report" or back_to == "<>"
    return answers or bounces or precedence in BULK


def _name_of(message: MailMessage, raw: bytes) -> str:
    name = storable(str(message.obj.get("Message-ID", "")).strip())
    longest = Ticket._meta.get_field("external_id").max_length or 0
    return name if 0 < len(name) <= longest else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _sent_at(message: MailMessage) -> datetime:
    """When it says it was sent, unless that cannot be."""
    now, at = timezone.now(), message.date
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at if now - MAX_AGE < at <= now else now
