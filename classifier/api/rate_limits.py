"""Limits how many requests a key may make a minute, counted in the database across all web processes."""

import time
from typing import NamedTuple

from django.db.models import F, Q, QuerySet

from classifier.models import ApiKey, RateLimitCounter

WINDOW_SECONDS = 60


class RateLimitStatus(NamedTuple):
    """Whether the request is within the limit; `remaining` requests are left until the reset in `reset_seconds`."""

    granted: bool
    limit: int
    remaining: int
    reset_seconds: int


def count_request(key: ApiKey) -> RateLimitStatus | None:
    """Count a request of this key; None where the key has no limit."""
    if not key.per_minute:
        return None
    window, elapsed = divmod(int(time.time()), WINDOW_SECONDS)
    rows = RateLimitCounter.objects.filter(key=key)
    granted = _increment(rows, window, key.per_minute)
    if not granted:
        # The row may not exist yet, or another request has just started a new window.
        RateLimitCounter.objects.bulk_create([RateLimitCounter(key=key, window=window, used=0)], ignore_conflicts=True)
        granted = _increment(rows, window, key.per_minute)
    used = rows.values_list("used", flat=True).get()
    return RateLimitStatus(granted, key.per_minute, max(key.per_minute - used, 0), WINDOW_SECONDS - elapsed)


def _increment(rows: QuerySet[RateLimitCounter], window: int, limit: int) -> bool:
    """Count by conditional update, so only one of two requests gets the last place."""
    # Another machine's clock may be slightly ahead; a counter that is far ahead is reset.
    if rows.filter(window__range=(window, window + 1), used__lt=limit).update(used=F("used") + 1):
        return True
    past = Q(window__lt=window) | Q(window__gt=window + 1)
    return bool(rows.filter(past).update(window=window, used=1))
