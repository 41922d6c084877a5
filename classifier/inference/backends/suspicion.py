"""Tells a provider that answers nobody from one request that it fails at."""

import asyncio
from collections.abc import Awaitable, Callable

from classifier.contract.types import ClassifierError, ProviderFault, Usage

ENOUGH = 3
"""Failures in a row, of one question or of several, before a harmless question is asked."""


class Suspicion:
    """Of one endpoint, on one event loop."""

    def __init__(self) -> None:
        self._failures = 0
        self._probing = asyncio.Lock()

    def clear(self) -> None:
        """The endpoint has answered."""
        self._failures = 0

    async def report(self, failure: ClassifierError, probe: Callable[[], Awaitable[Usage]] | None) -> Usage:
        """Count a failure that may be the ticket's or the provider's; after enough of them, ask a harmless question by
        `probe`, which is None if the failed question was harmless. Returns what that used. Raises ProviderFault if even
        a harmless question fails.
        """
        self._failures += 1
        async with self._probing:
            if self._failures < ENOUGH:
                return Usage()
            try:
                if probe is None:
                    raise failure
                return await probe()
            except ProviderFault:
                raise
            except ClassifierError as error:
                if error.permanent:
                    return Usage(requests=1)
                raise _fault(error) from failure


def _fault(error: ClassifierError) -> ProviderFault:
    message = f"Not even a harmless request is answered. {error}"
    return ProviderFault(message, kind=error.kind, words=str(error), retry_after=error.retry_after)
