"""What the program needs to know of a help desk: how it signs, what its events say, how a ticket is updated. Pure."""

from __future__ import annotations

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

TOLERANCE = 300.0
"""Seconds that the time of a signature may be off; an older one may be a replay."""


class NotAnEvent(Exception):
    """The payload is none that the desk's documentation knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """The first message of a ticket; `body` is HTML where `is_html`, `received_at` None where the desk does not say."""

    external_id: str
    body: str
    is_html: bool = False
    subject: str = ""
    customer: str = ""
    channel: str = ""
    language: str = ""
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """Where a desk's API is, and who calls."""

    base_url: str
    account: str
    token: str

    def request(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Request:
        return Request(  # noqa: S310 - the way out looks at it
            self.base_url.rstrip("/") + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "ticketclf", **headers},
            method=method,
        )


class HelpDeskAdapter(Protocol):
    """One module per desk has these three."""

    def is_signed(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Whether it comes from whoever knows the secret, and is no replay where the desk says when it was sent."""

    def parse_event(self, payload: Mapping[str, Any]) -> InboundMessage | None:
        """What a customer wrote; None of events that are about something else. Raises NotAnEvent."""

    def update_request(self, access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
        """The request that sets these fields of a ticket, and no others."""


def equal_constant_time(given: str, expected: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def hmac_digest(secret: str, body: bytes, algorithm: str) -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


def is_signed_by_hub(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """As GitHub has begun it and others do it: `X-Hub-Signature: sha1=…`."""
    return equal_constant_time(headers.get("X-Hub-Signature", ""), "sha1=" + hmac_digest(secret, body, "sha1").hex())


def is_recent(moment: datetime | None) -> bool:
    return moment is not None and abs(time.time() - moment.timestamp()) <= TOLERANCE


def parse_time(value: Any) -> datetime | None:
    """A time as desks write it: ISO 8601, or seconds since 1970. None where it is neither."""
    try:
        if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdecimal()):
            return datetime.fromtimestamp(float(value), UTC)
        at = datetime.fromisoformat(str(value).replace(" UTC", "Z"))
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def value_at(payload: Any, *names: str) -> Any:
    """What stands under these names, one in the other; None where there is nothing."""
    for name in names:
        payload = payload.get(name) if isinstance(payload, Mapping) else None
    return payload


def text_at(payload: Any, *names: str) -> str:
    """The same as text; empty where it is none, nor a number."""
    value = value_at(payload, *names)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def required_text_at(payload: Any, *names: str) -> str:
    """The same. Raises NotAnEvent where it is missing."""
    if value := text_at(payload, *names):
        return value
    raise NotAnEvent(f"{'.'.join(names)} is missing")


def basic_auth(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def basic_auth_password(authorization: str) -> str:
    """Out of such a value; empty where there is none."""
    try:
        return base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def quote_segment(part: str) -> str:
    """Part of a path."""
    return quote(part, safe="")
