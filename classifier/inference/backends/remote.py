"""Asks an endpoint about many texts at once."""

import asyncio
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from classifier.contract.types import Answer, ClassifierError, Contract, FailureKind, IndexedResult, Question

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""The longest time in seconds between two lists of results."""


class RemoteClassifier(ABC):
    """A classifier whose answers take requests."""

    @abstractmethod
    async def answer(self, question: Question, contract: Contract) -> Answer:
        """The answer to one question. Raises ClassifierError."""

    def answers(
        self, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        """See `Classifier`. Requests that nobody waits for are cancelled."""
        drawn, arrived = enumerate(questions), SimpleQueue[Future[Answer]]()
        pending: dict[Future[Answer], int] = {}
        # Results are passed on while requests still queue, so that storing them delays no request.
        most = max(ahead // 4, 1)
        try:
            while True:
                for place, question in islice(drawn, ahead - len(pending)):
                    future = _submit(self.answer(question, contract))
                    pending[future] = place
                    future.add_done_callback(arrived.put)
                if not pending:
                    return
                done = _collect(arrived, min(most, len(pending)))
                yield [(pending.pop(future), _result(future)) for future in done]
        finally:
            for future in pending:
                future.cancel()


_starting = threading.Lock()


def _submit(coroutine: Coroutine[Any, Any, Answer]) -> Future[Answer]:
    """Start a coroutine on this process's loop, so that synchronous code can have many requests in flight."""
    with _starting:
        loop = _loop_of(os.getpid())
    return asyncio.run_coroutine_threadsafe(coroutine, loop)


@lru_cache(maxsize=1)
def _loop_of(pid: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name=f"model-requests-{pid}", daemon=True).start()
    return loop


def _collect(arrived: SimpleQueue[Future[Answer]], most: int) -> list[Future[Answer]]:
    """Finished requests: waits for `most` of them or POLL_SECONDS, then takes what else is there."""
    finished: list[Future[Answer]] = []
    until = time.monotonic() + POLL_SECONDS
    with suppress(Empty):
        while len(finished) < most:
            finished.append(arrived.get(timeout=max(until - time.monotonic(), 0)))
        while True:
            finished.append(arrived.get_nowait())
    return finished


def _result(future: Future[Answer]) -> Answer | ClassifierError:
    try:
        return future.result()
    except ClassifierError as error:
        return error
    except Exception as error:
        # One reply must not take the others along, whatever is in it.
        logger.exception("Asking about a ticket crashed.")
        return ClassifierError(
            f"The reply could not be processed ({type(error).__name__}); see the log.",
            kind=FailureKind.CRASHED,
            permanent=True,
        )
