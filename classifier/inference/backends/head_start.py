"""Lets one request go ahead of the others, since a provider that refuses it would refuse them all."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from classifier.contract.types import ClassifierError, ProviderFault

WARM_SECONDS = 60.0
"""After an answer, requests go side by side for this long."""

LONGEST_WAIT = 2.0
"""Seconds that others wait for the one ahead; a slow answer isn't a refusal."""


class HeadStart:
    """Of one endpoint, on one event loop. A provider's fault reaches every request that waited while it happened."""

    def __init__(self) -> None:
        self._ahead: asyncio.Event | None = None
        self._warm_until = 0.0
        self._fault: ProviderFault | None = None
        self._faults = 0

    @property
    def faults(self) -> int:
        """How many faults there have been; a request remembers the number when it begins to wait."""
        return self._faults

    def check(self, faults: int) -> None:
        """Raise ProviderFault again if there was one since there had been `faults`."""
        if (fault := self._fault) and self._faults > faults:
            raise ProviderFault(str(fault), kind=fault.kind, words=fault.words, retry_after=fault.retry_after)

    @asynccontextmanager
    async def turn(self, faults: int) -> AsyncIterator[None]:
        """A request's turn, which may come after that of the one ahead.

        Raises ProviderFault if there was one since the request began to wait, when there had been `faults`.
        """
        if self._ahead and time.monotonic() > self._warm_until:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._ahead.wait()
        self.check(faults)
        goes_ahead = self._ahead = self._ahead or asyncio.Event()
        try:
            yield
            self._warm_until = time.monotonic() + WARM_SECONDS
        except ProviderFault as fault:
            self._fault, self._faults, self._warm_until = fault, self._faults + 1, 0.0
            raise
        except ClassifierError as error:
            if error.permanent:
                self._warm_until = time.monotonic() + WARM_SECONDS
            raise
        finally:
            goes_ahead.set()
            if self._ahead is goes_ahead:
                self._ahead = None
