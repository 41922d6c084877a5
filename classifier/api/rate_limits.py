"""How many requests a key may still make. Counted in the database, so that all web processes share one count."""

import time
from typing import NamedTuple

from django.db.models import F, Q, QuerySet

from classifier.models import ApiKey, RateLimitCounter

WINDOW_SECONDS = 60
"""Seconds."""


class RateLimitStatus(NamedTuple):
    """Whether a request may go on; of how many a window `left` remain for the next `seconds`."""

    granted: bool
    limit: int
    left: int
    seconds: int


def count_request(key: ApiKey) -> RateLimitStatus | None:
    """One request of what the key may make; None where nothing limits it."""
    if not key.per_minute:
        return None
    window, gone = divmod(int(time.time()), WINDOW_SECONDS)
    rows = RateLimitCounter.objects.filter(key=key)
    granted = _counted(rows, window, key.per_minute)
    if not granted:
        # Nothing was there to count in, or it has changed at this moment; else it is the same again.
        RateLimitCounter.objects.bulk_create([RateLimitCounter(key=key, window=window, used=0)], ignore_conflicts=True)
        granted = _counted(rows, window, key.per_minute)
    used = rows.values_list("used", flat=True).get()
    return RateLimitStatus(granted, key.per_minute, max(key.per_minute - used, 0), WINDOW_SECONDS - gone)


def _counted(rows: QuerySet[RateLimitCounter], window: int, most: int) -> bool:
    """Conditional updates decide, so that of two requests for the last place one gets it."""
    # The clock of another machine may be a moment ahead; one that was far ahead is not waited for.
    if rows.filter(window__range=(window, window + 1), used__lt=most).update(used=F("used") + 1):
        return True
    past = Q(window__lt=window) | Q(window__gt=window + 1)
    return bool(rows.filter(past).update(window=window, used=1))
