"""Connects to an IMAP mailbox, only at addresses that the SSRF guard allows."""

import imaplib
import ssl
from collections.abc import Sequence
from typing import Any

from imap_tools import BaseMailBox, MailMessageFlags

from classifier.models import Mailbox
from classifier.security import ssrf

TIMEOUT = 30.0
"""Seconds per network operation."""
MAX_SECONDS = 300.0
"""Seconds for all of them, however slowly the server sends."""


class _PlainClient(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> ssrf.DeadlineSocket:
        return ssrf.connect(self.host, self.port, timeout, seconds=MAX_SECONDS)


class _TlsClient(_PlainClient):
    def _create_socket(self, timeout: float | None) -> Any:
        return ssrf.start_tls(super()._create_socket(timeout), self.host)


class ImapFolder(BaseMailBox):
    """An open folder of a mailbox; `with` closes it. Raises ForbiddenAddress, OSError and imap-tools errors."""

    def __init__(self, mailbox: Mailbox, password: str) -> None:
        self._mailbox = mailbox
        super().__init__()
        try:
            self.login(mailbox.user, password, mailbox.folder)
        except BaseException:
            self.client.shutdown()
            raise

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        client_class = _TlsClient if self._mailbox.security == Mailbox.Security.TLS else _PlainClient
        client = client_class(self._mailbox.host, self._mailbox.port, TIMEOUT)
        if self._mailbox.security == Mailbox.Security.STARTTLS:
            client.starttls(ssl.create_default_context())
        return client

    def unread_uids(self) -> list[str]:
        return self.uids("UNSEEN")

    def fetch_raw(self, uid: str, max_bytes: int) -> bytes:
        """The start of a message, which stays unread; empty if it is gone."""
        _status, parts = self.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{max_bytes}>)")
        return next((part[1] for part in parts if isinstance(part, tuple)), b"")

    def flag_skipped(self, uids: Sequence[str]) -> None:
        self.flag(uids, MailMessageFlags.FLAGGED, True)

    def mark_read(self, uids: Sequence[str]) -> None:
        self.flag(uids, MailMessageFlags.SEEN, True)
