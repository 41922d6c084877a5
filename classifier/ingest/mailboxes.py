"""Fetches messages from mailboxes and stores each once as a ticket.

A message is marked as read only after it is stored. If a worker dies in between, the message is fetched again and
recognized by its Message-ID.
"""

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

from classifier.database.batches import chunked
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
"""How much of a message is fetched; its text comes before the attachments."""
BULK = {"bulk", "junk", "list", "auto_reply"}
MAX_AGE = timedelta(days=3_650)


def fetch_due() -> bool:
    """Fetch from every mailbox that is due. Returns whether any has more messages."""
    more = False
    for mailbox in Mailbox.objects.due():
        with leases.hold(Mailbox.objects.due().filter(pk=mailbox.pk)) as held:
            for leased in held:
                more |= _fetch(leased)
    return more


def fetch_soon(mailbox_pks: Sequence[int]) -> None:
    """Make these mailboxes due now, unless a worker is fetching from them already."""
    Mailbox.objects.filter(pk__in=mailbox_pks, owner=None).release()


def _fetch(mailbox: Mailbox) -> bool:
    error, more = "", False
    try:
        more = _fetch_unread(mailbox)
    except MailboxLoginError:
        error = _("The server rejects this user and password. Check %s.") % mailbox.password_env
    except (MissingSecret, ssrf.ForbiddenAddress, ImapToolsError, imaplib.IMAP4.error, OSError) as fault:
        error = str(fault)[:300] or type(fault).__name__
    pause = RETRY_INTERVAL if error else timedelta() if more else POLL_INTERVAL
    mailbox.still_held.release(pause, checked_at=Now(), error=error)
    return more


def _fetch_unread(mailbox: Mailbox) -> bool:
    """Store unread messages, up to MAX_PER_FETCH. Returns whether there are more."""
    with ImapFolder(mailbox, require_secret(mailbox.password_env)) as box:
        unread = box.unread_uids()
        for uids in chunked(unread[:MAX_PER_FETCH], CHUNK):
            _store(mailbox, [box.fetch_raw(uid, MAX_MESSAGE_BYTES) for uid in uids])
            box.mark_read(uids)
    return len(unread) > MAX_PER_FETCH


def _store(mailbox: Mailbox, messages: Sequence[bytes]) -> None:
    rows = [row | {"source": mailbox.source} for message in messages if (row := _parse(mailbox, message))]
    stored = sum(result.created for result in storing.store(rows))
    Mailbox.objects.filter(pk=mailbox.pk).update(
        stored=F("stored") + stored, skipped=F("skipped") + len(messages) - len(rows)
    )


def _parse(mailbox: Mailbox, raw: bytes) -> dict[str, Any] | None:
    try:
        return ticket_fields(raw)
    except Exception as error:
        # The error text may quote the message, so only its type is logged.
        logger.warning("Skipped an unreadable message in %s (%s).", mailbox.slug, type(error).__name__)
        return None


def ticket_fields(raw: bytes) -> dict[str, Any] | None:
    """Keyword arguments of Ticket; None for automatic and empty messages.

    Plain text is preferred to HTML. Quoted replies and attachments are left out.
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
        "external_id": _message_id(message, raw),
        "text": text,
        "customer": storable(message.from_)[:254],
        "channel": "email",
        "received_at": _sent_at(message),
    }


def _is_automatic(message: MailMessage) -> bool:
    """Whether it is an automatic reply (RFC 3834), a list message or a bounce (RFC 3464)."""
    names = ("Auto-Submitted", "Precedence", "Return-Path")
    submitted, precedence, return_path = (str(message.obj.get(name, "")).strip().lower() for name in names)
    auto_reply = submitted.partition(";")[0].strip() not in ("", "no")
    bounce = message.obj.get_content_type() == "multipart/report" or return_path == "<>"
    return auto_reply or bounce or precedence in BULK


def _message_id(message: MailMessage, raw: bytes) -> str:
    """Its Message-ID, or a digest if that is missing or too long."""
    message_id = storable(str(message.obj.get("Message-ID", "")).strip())
    longest = Ticket._meta.get_field("external_id").max_length or 0
    return message_id if 0 < len(message_id) <= longest else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _sent_at(message: MailMessage) -> datetime:
    """The Date header, or now if that is implausible."""
    now, sent = timezone.now(), message.date
    sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    return sent if now - MAX_AGE < sent <= now else now
