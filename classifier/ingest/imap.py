"""A connection to a mailbox: to an address that was looked at, its certificate held against the name."""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Sequence

from imap_tools import BaseMailBox, MailMessageFlags

from classifier.models import Mailbox
from classifier.security import ssrf

TIMEOUT = 30.0
"""Seconds for each step."""


class _Client(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        return ssrf.connect(self.host, self.port, timeout)


class _SecureClient(_Client):
    """Speaks TLS from the start."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return ssl.create_default_context().wrap_socket(super()._create_socket(timeout), server_hostname=self.host)


class ImapFolder(BaseMailBox):
    """The open folder of a mailbox; `with` closes it. Raises Forbidden, OSError and the errors of imap-tools."""

    def __init__(self, mailbox: Mailbox, password: str) -> None:
        self._mailbox = mailbox
        super().__init__()
        try:
            self.login(mailbox.user, password, mailbox.folder)
        except BaseException:
            self.client.shutdown()
            raise

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        of_security = _SecureClient if self._mailbox.security == Mailbox.Security.TLS else _Client
        client = of_security(self._mailbox.host, self._mailbox.port, TIMEOUT)
        if self._mailbox.security == Mailbox.Security.STARTTLS:
            client.starttls(ssl.create_default_context())
        return client

    def unseen(self) -> list[str]:
        return self.uids("UNSEEN")

    def peek(self, uid: str, most: int) -> bytes:
        """The first `most` bytes of a message, which stays unseen; empty where it is gone."""
        _status, parts = self.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{most}>)")
        return next((part[1] for part in parts if isinstance(part, tuple)), b"")

    def mark_seen(self, uids: Sequence[str]) -> None:
        self.flag(uids, MailMessageFlags.SEEN, True)
