"""Fetches messages from mailboxes and stores each once as a ticket.

A message is marked as read only after it is stored, and flagged if it makes no ticket, so that a person finds it. If a
worker dies in between, the message is fetched again and recognized by its Message-ID.
"""

import hashlib
import imaplib
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from imap_tools import ImapToolsError, MailboxLoginError

from classifier.database.batches import chunked
from classifier.ingest import mail_body, quotes, storing
from classifier.ingest.imap import ImapFolder
from classifier.ingest.moments import received_or_now
from classifier.leases import leases
from classifier.models import Mailbox, Ticket
from classifier.security import ssrf
from classifier.security.secrets_from_env import MissingSecret, require_secret
from classifier.text import storable

logger = logging.getLogger(__name__)

POLL_INTERVAL, RETRY_INTERVAL = timedelta(seconds=60), timedelta(minutes=5)
CHUNK = 20
MAX_PER_FETCH = 200
MAX_MESSAGE_BYTES = 2_097_152
"""How much of a message is fetched; its text comes before the attachments."""
_BULK = {"bulk", "junk", "list"}
_AUTO_REPLIES = ("X-Autoreply", "X-Autorespond", "X-Autorepl", "X-Auto-Response", "X-FC-MachineGenerated")
_NO_REPLY = re.compile(
    r"(?:no|do-?not|dont)[-_.]?reply|notifications?@|(?:form|wordpress|mailer|www-data)@", re.IGNORECASE
)


class SkippedMessage(Exception):
    """The message makes no ticket; says why."""


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
    except Exception as fault:
        # Whatever it is, the other mailboxes are fetched.
        logger.exception("Mail could not be fetched from %s.", mailbox.slug)
        error = type(fault).__name__
    pause = RETRY_INTERVAL if error else timedelta() if more else POLL_INTERVAL
    mailbox.still_held.release(pause, checked_at=Now(), error=error)
    return more


def _fetch_unread(mailbox: Mailbox) -> bool:
    """Store unread messages, up to MAX_PER_FETCH. Returns whether there are more."""
    with ImapFolder(mailbox, require_secret(mailbox.password_env)) as box:
        unread = box.unread_uids()
        for uids in chunked(unread[:MAX_PER_FETCH], CHUNK):
            skipped = _store(mailbox, {uid: box.fetch_raw(uid, MAX_MESSAGE_BYTES) for uid in uids})
            box.flag_skipped(skipped)
            box.mark_read(uids)
    return len(unread) > MAX_PER_FETCH


def _store(mailbox: Mailbox, messages: Mapping[str, bytes]) -> list[str]:
    """Store what makes a ticket. Returns the uids of the messages that don't."""
    rows = {uid: row for uid, raw in messages.items() if (row := _parse(mailbox, raw))}
    stored = sum(result.created for result in storing.store(list(rows.values())))
    skipped = [uid for uid in messages if uid not in rows]
    Mailbox.objects.filter(pk=mailbox.pk).update(stored=F("stored") + stored, skipped=F("skipped") + len(skipped))
    return skipped


def _parse(mailbox: Mailbox, raw: bytes) -> dict[str, Any] | None:
    try:
        return {"source": mailbox.source} | ticket_fields(raw, skip_bulk=mailbox.skip_bulk)
    except SkippedMessage as reason:
        logger.info("Skipped a message in %s: %s.", mailbox.slug, reason)
    except Exception as error:
        # The error text may quote the message, so only its type is logged.
        logger.warning("Skipped an unreadable message in %s (%s).", mailbox.slug, type(error).__name__)
    return None


def ticket_fields(raw: bytes, *, skip_bulk: bool = False) -> dict[str, Any]:
    """A row to store. Raises SkippedMessage for automatic and empty messages.

    Plain text is preferred to HTML. Quoted threads and signatures are only in `whole_message`, attachments nowhere.
    """
    message = message_from_bytes(raw)
    if reason := _reason_to_skip(message, skip_bulk=skip_bulk):
        raise SkippedMessage(reason)
    subject = storable(mail_body.header_text(message, "Subject"))
    texts = quotes.ticket_texts(subject, storable(mail_body.body_text(message)))
    if not texts["text"].strip():
        raise SkippedMessage("it is empty")
    return {
        **texts,
        "external_id": _message_id(message, raw),
        "customer": storable(_customer(message))[:254],
        "channel": "email",
        "received_at": received_or_now(_sent_at(message)),
    }


def _reason_to_skip(message: Message, *, skip_bulk: bool) -> str:
    """Why it makes no ticket: an automatic reply (RFC 3834), a bounce (RFC 3464) or, if asked for, bulk mail."""
    names = ("Auto-Submitted", "Precedence", "Return-Path")
    submitted, precedence, return_path = (str(message.get(name, "")).strip().lower() for name in names)
    submitted = submitted.partition(";")[0].strip()
    if message.get_content_type() == "multipart/report" or return_path == "<>":
        return "it is a bounce"
    if submitted == "auto-replied" or precedence == "auto_reply" or any(name in message for name in _AUTO_REPLIES):
        return "it is an automatic reply"
    # A contact form's message is generated, but a customer wrote it, whom Reply-To names.
    if submitted not in ("", "no") and not _reply_to(message):
        return "it is generated"
    return "it is bulk mail" if skip_bulk and precedence in _BULK else ""


def _customer(message: Message) -> str:
    """The sender's address; where no one reads that, as with contact forms, the address for replies."""
    sender = parseaddr(str(message.get("From", "")))[1]
    return _reply_to(message) or sender if _NO_REPLY.search(sender) or not sender else sender


def _reply_to(message: Message) -> str:
    address = parseaddr(str(message.get("Reply-To", "")))[1]
    return "" if _NO_REPLY.search(address) else address


def _message_id(message: Message, raw: bytes) -> str:
    """Its Message-ID, or a digest if that is missing or too long."""
    message_id = storable(str(message.get("Message-ID", "")).strip())
    longest = Ticket._meta.get_field("external_id").max_length or 0
    return message_id if 0 < len(message_id) <= longest else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _sent_at(message: Message) -> datetime | None:
    try:
        sent = parsedate_to_datetime(str(message.get("Date", "")))
    except (ValueError, OverflowError):
        return None
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)
