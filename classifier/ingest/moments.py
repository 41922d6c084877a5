"""Reads the dates that other systems write. Pure."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import product

from dateutil import parser

_MAX_AGE, _FAST_CLOCK = timedelta(days=3_650), timedelta(days=1)
_DOTTED = re.compile(r"\d{1,2}\.\d{1,2}\.\d")
"""Dates with dots begin with the day wherever people write them."""
_EPOCH_DIGITS = {10: 1, 13: 1_000}
# What is missing in a date is filled from these, so that two results show that something is.
_DEFAULTS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 2, 2, tzinfo=UTC))


def parse_moment(value: object, zone: tzinfo) -> datetime | None:
    """Parse ISO 8601, seconds or milliseconds since 1970, or a date in words; without a zone it is in `zone`.

    None if it is no date, or one that can be read in two ways, such as 03/04/2026.
    """
    text = str(value).strip().removesuffix(" UTC")
    zone = zone if text == str(value).strip() else UTC
    try:
        if text.isdecimal() and (unit := _EPOCH_DIGITS.get(len(text))):
            return datetime.fromtimestamp(int(text) / unit, UTC)
        moment = _parse_iso(text) or _parse_words(text)
        return moment and (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def received_or_now(moment: datetime | None) -> datetime:
    """When a message was received: as it says, or now if that lies in the future or over ten years ago."""
    now = datetime.now(UTC)
    return moment if moment and now - _MAX_AGE < moment <= now else now


def is_plausible(moment: datetime) -> bool:
    """Whether something may have been received then: since 1970, and not in the future."""
    return moment.year >= 1970 and moment <= datetime.now(UTC) + _FAST_CLOCK


def _parse_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _parse_words(text: str) -> datetime | None:
    if len(text) > 100:
        return None
    orders = (True,) if _DOTTED.match(text) else (True, False)
    read = {
        parser.parse(text, dayfirst=day_first, default=default.replace(tzinfo=None))
        for day_first, default in product(orders, _DEFAULTS)
    }
    return read.pop() if len(read) == 1 else None
