"""The web server: waitress, with deadlines for slow clients and limits on what they send.

One thread receives requests and sends responses, and a worker thread is busy only while Django works. So a client that
sends a byte every few seconds costs a connection and nothing else, until its deadline.
"""

import time
from copy import copy
from functools import partial
from typing import Any

from django.conf import settings
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.utilities import Error, RequestEntityTooLarge

from classifier.ingest.uploads import MAX_BYTES as MAX_UPLOAD_BYTES

HEADER_SECONDS, MIN_BYTES_PER_SECOND = 15.0, 32_768
"""A request's headers have to arrive within this time, and its body at this rate."""

IDLE_SECONDS = 75.0
"""How long a connection may be idle, or a client stop reading. Longer than usual proxies keep connections, so that they
close first.
"""

GRACE_SECONDS = 25.0
"""For running requests to finish when the server stops."""

MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS = 800, 100
"""Beyond these, the connection that has waited longest without a whole request makes room for a new one."""

MAX_BODY_BYTES, MAX_UNSIGNED_BODY_BYTES = MAX_UPLOAD_BYTES + 2**20, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""With a session or a key, and without. Bodies of unknown length get the second limit."""

MAX_BYTES_RECEIVED = MAX_BODY_BYTES + 2**26
"""Of all bodies that are held in memory or in temporary files at a time."""

BEHIND_PROXY = {
    "trusted_proxy": "*",
    "trusted_proxy_headers": "x-forwarded-for x-forwarded-proto",
    "clear_untrusted_proxy_headers": True,
}


class TooBusy(Error):
    code = 503
    reason = "Service Unavailable"


class RequestParser(HTTPRequestParser):
    """Refuses a body by its headers, before any of it is stored."""

    adj: Any

    def __init__(self, channel: "Channel", adj: Adjustments) -> None:
        super().__init__(adj)
        self._channel = channel
        self.reserved_bytes = 0

    def received(self, data: bytes) -> int:
        in_header = not self.headers_finished
        consumed: int = super().received(data)
        if in_header and self.headers_finished and not self.error:
            self._admit()
        return consumed

    def _admit(self) -> None:
        signed = "AUTHORIZATION" in self.headers or settings.SESSION_COOKIE_NAME in self.headers.get("COOKIE", "")
        limit = MAX_BODY_BYTES if signed and not self.chunked else MAX_UNSIGNED_BODY_BYTES
        bytes_expected = limit if self.chunked else self.content_length
        self.adj = copy(self.adj)
        self.adj.max_request_body_size = limit + 1
        if bytes_expected > limit:
            self._refuse(RequestEntityTooLarge(f"At most {limit // 2**20} MB can be sent here."))
        elif bytes_expected + self._channel.server.reserved_bytes() > MAX_BYTES_RECEIVED:
            self._refuse(TooBusy("Too much is being uploaded at once. Try again in a minute."))
        else:
            self.reserved_bytes = bytes_expected

    def _refuse(self, error: Error) -> None:
        self.error, self.completed, self.expect_continue = error, True, False


class Channel(HTTPChannel):
    """A connection that is closed at its deadline."""

    def __init__(self, server: "WebServer", *args: Any, **kwargs: Any) -> None:
        super().__init__(server, *args, **kwargs)
        self.parser_class = partial(RequestParser, self)
        self.waiting_since = self.creation_time
        server.make_room(self.addr[0])

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.waiting_since = time.time()
        return bool(super().received(data))

    @property
    def is_waiting(self) -> bool:
        """Whether the client has to send something next."""
        return not self.requests and not self.total_outbufs_len

    def deadline(self) -> float:
        """When the connection is closed if nothing changes."""
        if self.requests and not self.total_outbufs_len:
            return float("inf")
        if self.is_waiting and (self.request or self.last_activity == self.creation_time):
            body_bytes = self.request.body_bytes_received if self.request else 0
            return float(self.waiting_since + HEADER_SECONDS + body_bytes / MIN_BYTES_PER_SECOND)
        return float(self.last_activity + IDLE_SECONDS)


class WebServer(TcpWSGIServer):
    channel_class = Channel

    def __init__(self, application: Any, host: str, port: int, threads: int, *, behind_proxy: bool) -> None:
        """Listens at once; `behind_proxy` takes the client's address from `X-Forwarded-For`. Raises OSError."""
        options = BEHIND_PROXY if behind_proxy else {"clear_untrusted_proxy_headers": False}
        adjustments = Adjustments(
            host=host,
            port=port,
            threads=threads,
            ident="",
            asyncore_use_poll=True,
            cleanup_interval=1,
            connection_limit=2 * MAX_CONNECTIONS,
            max_request_header_size=2**16,
            max_request_body_size=MAX_BODY_BYTES + 1,
            outbuf_high_watermark=2**26,
            **options,
        )
        super().__init__(application, adj=adjustments)
        self._per_address = MAX_CONNECTIONS if behind_proxy else MAX_CONNECTIONS_PER_ADDRESS
        self._stopping = False

    def run(self) -> None:
        """Serve until `stop`, then finish the running requests within GRACE_SECONDS."""
        while not self._stopping:
            self._turn()
        wasyncore.dispatcher.close(self)
        deadline = time.time() + GRACE_SECONDS
        while time.time() < deadline and any(not channel.is_waiting for channel in self.active_channels.values()):
            self._turn()
        self.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)

    def stop(self, *_signal: object) -> None:
        if not self._stopping:
            self._stopping = True
            self.pull_trigger()

    def _turn(self) -> None:
        wasyncore.loop(timeout=1, map=self._map, use_poll=True, count=1)

    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):
            if channel.deadline() < now:
                channel.will_close = True

    def make_room(self, address: str) -> None:
        """Close the connection that has waited longest, if the address, or all together, have too many."""
        everyone = list(self.active_channels.values())
        same = [channel for channel in everyone if getattr(channel, "addr", ("",))[0] == address]
        crowd = same if len(same) > self._per_address else everyone if len(everyone) > MAX_CONNECTIONS else []
        if waiting := [channel for channel in crowd if channel.is_waiting]:
            min(waiting, key=lambda channel: channel.waiting_since).handle_close()

    def reserved_bytes(self) -> int:
        """Bytes of the bodies that have arrived or been announced and are not answered yet."""
        requests = [
            request for channel in self.active_channels.values() for request in (channel.request, *channel.requests)
        ]
        return sum(request.reserved_bytes for request in requests if request)
