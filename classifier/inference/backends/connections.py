"""HTTP connections to endpoints, limited to allowed addresses and to replies of bounded size."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import httpcore2
import httpx2
import openai

from classifier.contract.types import ClassifierError, FailureKind
from classifier.inference.backends.remote_model import Resolver

LONGEST_REPLY = 1_048_576
"""Bytes of a reply that are read, headers aside."""


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
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)

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
