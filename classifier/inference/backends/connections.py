"""HTTP connections to endpoints, limited to allowed addresses and to replies of bounded size."""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import httpcore2
import httpx2
import openai

from classifier.contract.types import ClassifierError, FailureKind
from classifier.inference.backends.remote_model import Resolver

LONGEST_REPLY = 1_048_576
"""Bytes of a reply that are read, headers aside."""


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection that knows its socket: the pool checks each idle one before every request, and a search for the
    socket took most of that time.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket = stream.get_extra_info("socket")
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._socket.fileno() < 0 or bool(self._poll.poll(0))
        return self._stream.get_extra_info(info)


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    def __init__(self, addresses: Resolver) -> None:
        self._addresses = addresses
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first allowed address that answers. TLS still verifies the host name."""
        try:
            *others, last = await asyncio.to_thread(self._addresses, host, port)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for address in others:
            try:
                return _Stream(await self._network.connect_tcp(address, port, timeout, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return _Stream(await self._network.connect_tcp(last, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class _BoundedStream(httpx2.AsyncByteStream):
    """A reply's body. Raises ClassifierError once it is too long."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._stream:
            length += len(chunk)
            if length > LONGEST_REPLY:
                raise ClassifierError(
                    f"The endpoint sent more than {LONGEST_REPLY:,} bytes.", kind=FailureKind.FOREIGN_REPLY
                )
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Transport(httpx2.AsyncHTTPTransport):
    """httpx's transport with our network backend, for which its constructor has no parameter."""

    def __init__(self, outlet: GuardedNetwork) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=None,
            keepalive_expiry=5.0,
            network_backend=outlet,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A compressed reply could unpack to any size.
        request.headers["accept-encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise ClassifierError("The endpoint compressed its reply unasked.", kind=FailureKind.FOREIGN_REPLY)
        response.stream = _BoundedStream(cast(httpx2.AsyncByteStream, response.stream))
        return response


def http_client(addresses: Resolver) -> httpx2.AsyncClient:
    """An HTTP client for the SDK. It follows no redirects, and ignores proxy variables, since a proxy would resolve
    names itself.
    """
    return openai.DefaultAsyncHttpxClient(transport=_Transport(GuardedNetwork(addresses)), follow_redirects=False)
