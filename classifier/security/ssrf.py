"""Guards outgoing connections against SSRF: internal addresses are refused unless a setting allows them.

The host is resolved once and the connection goes to the checked address, so DNS rebinding has no effect.
"""

import http.client
import ipaddress
import math
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

Address = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")

_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        # By IANA's registries of special-purpose addresses, as far as `ipaddress` calls them global.
        *("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24"),
        *("2001::/23", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"),
        "168.63.129.16/32",  # a cloud's own services, asked from within
    )
]


class ForbiddenAddress(Exception):
    """The message says what is refused and which setting would allow it."""


def check_url(url: str) -> None:
    """Raises ForbiddenAddress for an invalid or internal URL. A host that does not resolve passes, since every request
    checks it again.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenAddress(_("%(url)s isn't a valid URL.") % {"url": url}) from error
    if parts.scheme not in _PORTS or not host:
        raise ForbiddenAddress(_("%(url)s must start with http:// or https:// and a host.") % {"url": url})
    check_host(host, port or _PORTS[parts.scheme])


def check_host(host: str, port: int) -> None:
    """The same for other protocols."""
    with suppress(OSError):
        allowed_addresses(host, port)


def allowed_addresses(host: str, port: int) -> list[str]:
    """The addresses of the host. Raises ForbiddenAddress if one is internal and not allowed, OSError without any."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} is not a valid host name") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    for address in addresses:
        if is_internal(address) and not _allowed(host, port, address):
            raise ForbiddenAddress(
                _(
                    "%(host)s resolves to the internal address %(address)s. "
                    "To allow requests to it, add %(host)s:%(port)s to TICKETCLF_INTERNAL_HOSTS."
                )
                % {"host": _bracketed(host), "port": port, "address": address}
            )
    return addresses


class _Deadline:
    """Reading ends at a moment of the monotonic clock, however slowly the other side sends."""

    ends_at = math.inf

    def recv_into(self, *args: Any) -> int:
        remaining = self.ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the other side sends too slowly")
        timeout = self.gettimeout()  # type: ignore[attr-defined]  # of the socket
        if remaining < (math.inf if timeout is None else timeout):
            self.settimeout(remaining)  # type: ignore[attr-defined]
        return int(super().recv_into(*args))  # type: ignore[misc]


class DeadlineSocket(_Deadline, socket.socket):
    """A socket whose reading ends at `ends_at`."""


class _DeadlineTlsSocket(_Deadline, ssl.SSLSocket):
    pass


@cache
def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.sslsocket_class = _DeadlineTlsSocket
    return context


def start_tls(connected: DeadlineSocket, host: str) -> ssl.SSLSocket:
    """Encrypt a connection, verify the certificate against the host name, and keep the deadline."""
    secure: Any = _tls_context().wrap_socket(connected, server_hostname=host)
    secure.ends_at = connected.ends_at
    return secure  # type: ignore[no-any-return]


def connect(host: str, port: int, timeout: float | None, *, seconds: float) -> DeadlineSocket:
    """Connect to an allowed address, for `seconds` in all; `timeout` is for each operation.

    Raises ForbiddenAddress and OSError.
    """
    last_error: OSError | None = None
    ends_at = time.monotonic() + seconds
    for address in allowed_addresses(host, port):
        try:
            connected = DeadlineSocket(fileno=socket.create_connection((address, port), timeout).detach())
        except OSError as error:
            last_error = error
        else:
            connected.settimeout(timeout)
            connected.ends_at = ends_at
            return connected
    raise last_error or OSError(f"{host} has no address")


def open_url(request: urllib.request.Request, timeout: float) -> Any:
    """Like `urllib.request.urlopen`, but without redirects and proxies; `timeout` in seconds is for the whole exchange.

    Raises ForbiddenAddress, `urllib.error.HTTPError` for every status other than 2xx, and OSError.
    """
    if request.type not in _PORTS:
        raise ForbiddenAddress(_("%(url)s must start with http:// or https:// and a host.") % {"url": request.full_url})
    return _opener.open(request, timeout=timeout)


def is_internal(spelled: str) -> bool:
    """Whether an address is not public, including an IPv4 address embedded in an IPv6 one."""
    return any(_is_inside(address) for address in _meanings(spelled))


def _is_inside(address: Address) -> bool:
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    special = any(address in network for network in _SPECIAL)
    return special or site_local or address.is_multicast or address.is_reserved or not address.is_global


def _meanings(spelled: str) -> Iterator[Address]:
    """The embedded IPv4 addresses that gateways would unwrap, or else the address itself."""
    address = ipaddress.ip_address(spelled.partition("%")[0])
    inner: list[IPv4Address | None] = []
    if isinstance(address, IPv6Address):
        low = IPv4Address(int(address) & 0xFFFF_FFFF)
        translated = low if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1) else None
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ()), translated]
    embedded: list[Address] = [inner_address for inner_address in inner if inner_address is not None]
    yield from embedded or [address]


def _allowed(host: str, port: int, spelled: str) -> bool:
    return any(_covers(entry, host, port, spelled) for entry in settings.INTERNAL_HOSTS)


def _covers(entry: str, host: str, port: int, spelled: str) -> bool:
    """Whether an entry of the setting (`*`, a host, `host:port`, an address or a network) covers this address."""
    if entry == "*":
        return True
    name, _colon, at = entry.rpartition(":")
    if _network(entry) or not at.isdecimal():
        name, at = entry, ""
    if at and int(at) != port:
        return False
    if network := _network(name):
        return all(address in network for address in _meanings(spelled))
    return name.lower() == host.lower()


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = self._connected()

    def _connected(self) -> DeadlineSocket:
        return connect(self.host, self.port, self.timeout, seconds=self.timeout or math.inf)


class _SecureConnection(_Connection):
    """Connects as above, then verifies the certificate against the host name."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        self.sock = start_tls(self._connected(), self.host)


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request)


def _plain_opener() -> urllib.request.OpenerDirector:
    # `build_opener` would add redirects, proxies from the environment, files and FTP.
    opener = urllib.request.OpenerDirector()
    statuses = (urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor)
    for handler in (_Handler, _SecureHandler, *statuses):
        opener.add_handler(handler())
    return opener


_opener = _plain_opener()
