"""Work that somebody waits for, up to a deadline: it is done in a thread, and goes on where it comes too late."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections

from classifier.leases import leases
from classifier.models import ContractVersion, Gate, Ticket, Verdict
from classifier.pipeline import claims, instant, runner

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Threads(ThreadPoolExecutor):
    """Threads that keep their connections to the database from one piece of work to the next, while those are good."""

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(_connected, work, *args, **kwargs)


def _connected(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    close_old_connections()
    try:
        return work(*args, **kwargs)
    finally:
        close_old_connections()


threads: Executor = Threads(settings.WEB_THREADS, thread_name_prefix="at-once")


class TooLong(Exception):
    """There was no answer before the deadline."""


def classify(tickets: Sequence[Ticket], gate: Gate, *, seconds: float) -> None:
    """Bring tickets that the caller has claimed to a verdict, and wait so long for it at the most.

    What takes longer goes on: in the thread that is at it, whose claim is kept meanwhile, or, where none has begun, as
    work for anybody. If the process dies or the work fails, the claim runs out and a worker takes the tickets.
    """
    future = threads.submit(_work_off, tickets, gate)
    try:
        _result(future, seconds)
    except TooLong:
        if future.cancel():
            claims.put_off(tickets, 0, attempted=False)


def label(texts: Sequence[str], gate: Gate, version: ContractVersion, *, seconds: float) -> list[Verdict]:
    """Verdicts on texts that are no tickets; nothing is stored. Raises TooLong."""
    return _result(threads.submit(instant.classify, texts, gate, version), seconds)


def _work_off(tickets: Sequence[Ticket], gate: Gate) -> None:
    try:
        with leases.renewing(tickets):
            runner.classify(tickets, gate)
    except Exception:
        # Perhaps nobody waits any more who would hear of it.
        logger.exception("Tickets could not be classified at once; they are tried again.")


def _result(future: Future[T], seconds: float) -> T:
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise TooLong from None
