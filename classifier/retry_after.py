"""Reads how long another server asks us to wait. Pure."""

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

LONGEST = 86_400.0
"""Seconds: no reply puts anything off for longer, whatever it asks for."""


class Headers(Protocol):
    """Response headers of any HTTP library, with case-insensitive names."""

    def get(self, name: str, /) -> Any: ...


def retry_after(headers: Headers, *, now: float | None = None) -> float | None:
    """Seconds to wait from `now` (epoch seconds), from 0 to LONGEST; None if the headers do not say.

    `retry-after-ms`, which some providers send, takes precedence over `retry-after` (seconds or a date).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    value = headers.get("retry-after")
    seconds = _number(value) if milliseconds is None else milliseconds / 1_000
    if seconds is None and value:
        seconds = _seconds_until(value, time.time() if now is None else now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _seconds_until(value: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
