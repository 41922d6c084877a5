"""Requests that leave the house: to where people say, but not to the network inside unless a setting allows it.

The name is resolved here and the connection goes to the address that was looked at, so a name that means another
address a moment later leads nowhere.
"""

import http.client
import ipaddress
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

Address = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class ForbiddenAddress(Exception):
    """The sentence says what is refused and which setting would allow it."""


def check_url(url: str) -> None:
    """Raises Forbidden for what is no address of the web, or leads inside. A name that does not resolve passes: there
    is nothing to reach yet, and each call looks again.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenAddress(_("%(url)s is no address of the web.") % {"url": url}) from error
    if parts.scheme not in _PORTS or not host:
        raise ForbiddenAddress(_("%(url)s does not begin with http:// or https:// and a host.") % {"url": url})
    check_host(host, port or _PORTS[parts.scheme])


def check_host(host: str, port: int) -> None:
    """The same of a server that speaks another protocol."""
    with suppress(OSError):
        allowed_addresses(host, port)


def allowed_addresses(host: str, port: int) -> list[str]:
    """Where a connection may go. Raises Forbidden if any address of the host is inside and not allowed; OSError if
    there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} is no name of a host") from error
    result = list(dict.fromkeys(str(info[4][0]) for info in found))
    for spelled in result:
        if is_internal(spelled) and not _allowed(host, port, spelled):
            raise ForbiddenAddress(
                _(
                    "%(host)s is at %(address)s, inside the network, where requests are not allowed to go. "
                    "If they should be, name %(host)s:%(port)s in TICKETCLF_INTERNAL_HOSTS."
                )
                % {"host": _bracketed(host), "port": port, "address": spelled}
            )
    return result


def connect(host: str, port: int, timeout: float | None) -> socket.socket:
    """A connection to an address that was looked at. Raises Forbidden and OSError; `timeout` in seconds, each try."""
    fault: OSError | None = None
    for address in allowed_addresses(host, port):
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            fault = error
    raise fault or OSError(f"{host} has no address")


def open_url(request: urllib.request.Request, timeout: float) -> Any:
    """The response, an object as of `urllib.request.urlopen`. Follows no redirect and takes no proxy.

    Raises Forbidden, `urllib.error.HTTPError` for every status that is not 2xx, and OSError.
    """
    if request.type not in _PORTS:
        raise ForbiddenAddress(
            _("%(url)s does not begin with http:// or https:// and a host.") % {"url": request.full_url}
        )
    return _opener.open(request, timeout=timeout)


def is_internal(spelled: str) -> bool:
    """Whether an address is anything but one of the public internet, an IPv4 address inside an IPv6 one included."""
    return any(_is_inside(address) for address in _meanings(spelled))


def _is_inside(address: Address) -> bool:
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return site_local or address.is_multicast or address.is_reserved or not address.is_global


def _meanings(spelled: str) -> Iterator[Address]:
    """The addresses that one stands for; gateways unwrap the IPv4 address within."""
    address = ipaddress.ip_address(spelled.partition("%")[0])
    inner: list[IPv4Address | None] = []
    if isinstance(address, IPv6Address):
        low = IPv4Address(int(address) & 0xFFFF_FFFF)
        translated = low if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1) else None
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ()), translated]
    wrapped: list[Address] = [found for found in inner if found is not None]
    yield from wrapped or [address]


def _allowed(host: str, port: int, spelled: str) -> bool:
    return any(_covers(entry, host, port, spelled) for entry in settings.INTERNAL_HOSTS)


def _covers(entry: str, host: str, port: int, spelled: str) -> bool:
    """Whether an entry of the setting speaks of this: `*`, a host, `host:port`, an address, or a network."""
    if entry == "*":
        return True
    if network := _network(entry):
        return all(address in network for address in _meanings(spelled))
    name, _colon, at = entry.rpartition(":") if entry.rpartition(":")[2].isdecimal() else (entry, "", "")
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
        self.sock = connect(self.host, self.port, self.timeout)


class _SecureConnection(http.client.HTTPSConnection, _Connection):
    """Connects as above, then wraps: the certificate is still held against the name."""


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request)


def _plain_opener() -> urllib.request.OpenerDirector:
    # Put together by hand: `build_opener` would add redirects, proxies of the environment, files and FTP.
    opener = urllib.request.OpenerDirector()
    statuses = (urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor)
    for handler in (_Handler, _SecureHandler, *statuses):
        opener.add_handler(handler())
    return opener


_opener = _plain_opener()
