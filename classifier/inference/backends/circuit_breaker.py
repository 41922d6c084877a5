"""A circuit breaker: stops requests to an endpoint that keeps failing."""

import time
from collections.abc import Callable


class Breaker:
    """Opens after `limit` failures in a row; `cool_off` seconds later one request may try again."""

    def __init__(self, *, limit: int = 10, cool_off: float = 15.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._cool_off = cool_off
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0

    def wait(self) -> float:
        """Seconds until a request may be sent; 0 admits the caller. After a pause only the first caller is admitted."""
        if self._failures < self._limit:
            return 0.0
        left = self._closed_until - self._clock()
        if left > 0:
            return left
        self._closed_until = self._clock() + self._cool_off
        return 0.0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= self._limit:
            self._closed_until = self._clock() + self._cool_off
