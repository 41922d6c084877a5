"""A local in-memory IMAP server: `with MailServer() as server:`, then `server.deliver(message)`."""

import asyncio
import threading
from argparse import Namespace
from contextlib import AsyncExitStack
from email.message import EmailMessage
from typing import Any

from imap_tools import MailBoxUnencrypted
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pysasl.hashing import BuiltinHash

USER, PASSWORD = "support@example.com", "the-password"


class MailServer:
    def __init__(self) -> None:
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], daemon=True)

    def __enter__(self) -> "MailServer":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        arguments = Namespace(
            debug=False,
            host="127.0.0.1",
            port="0",
            cert=None,
            key=None,
            tls=False,
            proxy_protocol=None,
            passlib_cfg=None,
            inherited_sockets=None,
            demo_data=False,
            demo_user=USER,
            demo_password=PASSWORD,
        )
        backend, config = await DictBackend.init(arguments, secure_auth=False, hash_context=BuiltinHash(rounds=1))
        config.apply_context()
        serve: Any = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(backend.login, config))
        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._over.wait()

    def deliver(self, *messages: EmailMessage | bytes) -> None:
        with self.open() as box:
            for message in messages:
                box.append(message if isinstance(message, bytes) else message.as_bytes(), "INBOX", dt=None)

    def seen(self) -> list[bool]:
        """Whether each message is marked as read, in order."""
        with self.open() as box:
            unseen = set(box.uids("UNSEEN"))
            return [uid not in unseen for uid in box.uids("ALL")]

    def flagged(self) -> list[bool]:
        """Whether each message is flagged, in order."""
        with self.open() as box:
            flagged = set(box.uids("FLAGGED"))
            return [uid in flagged for uid in box.uids("ALL")]

    def open(self) -> Any:
        return MailBoxUnencrypted("127.0.0.1", self.port, timeout=5).login(USER, PASSWORD)
