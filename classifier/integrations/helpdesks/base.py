"""The interface of a help-desk adapter, and helpers for verifying, reading and writing. Pure."""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote
from urllib.request import Request

from classifier.ingest.moments import parse_moment

TOLERANCE = 300.0
"""Maximum age of a signature in seconds; an older one may be a replay."""


class NotAnEvent(Exception):
    """The payload is not one that the help desk documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """The first message of a ticket, or one of a chat. `received_at` is None if the help desk does not say."""

    external_id: str
    body: str
    is_html: bool = False
    subject: str = ""
    customer: str = ""
    channel: str = ""
    language: str = ""
    received_at: datetime | None = None
    is_chat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """Address and credentials of a help desk's API."""

    base_url: str
    account: str
    token: str

    def request(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Request:
        """A request with a JSON body, unless it is None."""
        return Request(  # noqa: S310 - the SSRF guard checks it
            self.base_url.rstrip("/") + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "ticketclf", **headers},
            method=method,
        )


class HelpDeskAdapter(Protocol):
    """What each help desk's module provides."""

    def is_signed(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Whether the sender knows the secret, and the signature is recent if it has a time."""

    def parse_event(self, payload: Mapping[str, Any]) -> InboundMessage | None:
        """The customer's message; None for other events. Raises NotAnEvent."""

    def update_request(self, access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
        """The request that sets only these fields of a ticket."""

    def options_request(self, access: ApiAccess, field: str) -> Request:
        """The request for the definition of a drop-down field."""

    def parse_options(self, payload: Any, field: str) -> list[tuple[str, ...]]:
        """The options in its response, each with those above it; none if there is no such field."""


def equal_constant_time(given: str, expected: str) -> bool:

    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def hmac_digest(secret: str, body: bytes, algorithm: str) -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


def is_signed_by_hub(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Check `X-Hub-Signature: sha1=…`, which several services have adopted from GitHub."""
    return equal_constant_time(headers.get("X-Hub-Signature", ""), "sha1=" + hmac_digest(secret, body, "sha1").hex())


def is_recent(moment: datetime | None) -> bool:
    return moment is not None and abs(time.time() - moment.timestamp()) <= TOLERANCE


def parse_time(value: Any) -> datetime | None:
    """Parse a date, which is in UTC unless it says otherwise; None if it is none."""
    return parse_moment(value, UTC) if isinstance(value, (int, float, str)) else None


def value_at(payload: Any, *names: str) -> Any:
    """The value under these nested keys; None if there is none."""
    for name in names:
        payload = payload.get(name) if isinstance(payload, Mapping) else None
    return payload


def text_at(payload: Any, *names: str) -> str:
    """The string or number under these nested keys as text, else empty."""
    value = value_at(payload, *names)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def required_text_at(payload: Any, *names: str) -> str:
    """The same. Raises NotAnEvent if it is empty."""
    if value := text_at(payload, *names):
        return value
    raise NotAnEvent(f"{'.'.join(names)} is missing")


def listed(items: Any) -> list[Any]:
    """The items of a list; none of anything else."""
    return items if isinstance(items, list) else []


def item_with(items: Any, name: str, value: str) -> Any:
    """The first object of a list with this text under a key; None if there is none."""
    return next((item for item in listed(items) if text_at(item, name) == value), None)


def basic_auth(user: str, password: str) -> str:
    """The value of a basic Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def basic_auth_password(authorization: str) -> str:
    """The password in a basic Authorization header; empty if there is none."""
    scheme, _space, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def quote_segment(part: str) -> str:

    return quote(part, safe="")
