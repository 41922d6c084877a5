"""Classifies in a thread while a request waits, up to a deadline.

Late work continues in the background if its result is stored; otherwise nobody would see it, so it is cancelled.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections

from classifier.leases import leases
from classifier.models import ContractVersion, Gate, Ticket, Verdict
from classifier.pipeline import claims, runner, unstored

T = TypeVar("T")

logger = logging.getLogger(__name__)


class QueueFull(Exception):
    """So much is being classified already that one more request would only wait."""


class ConnectedThreadPool(ThreadPoolExecutor):
    """Threads that reuse their database connections while those are usable. Half as many requests may wait for one."""

    def __init__(self, threads: int, **options: Any) -> None:
        super().__init__(threads, **options)
        self._room = threading.BoundedSemaphore(threads + (threads + 1) // 2)

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Raises QueueFull."""
        if not self._room.acquire(blocking=False):
            raise QueueFull
        future = super().submit(_with_connection, work, *args, **kwargs)
        future.add_done_callback(lambda _future: self._room.release())
        return future


def _with_connection(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    close_old_connections()
    try:
        return work(*args, **kwargs)
    finally:
        close_old_connections()


thread_pool: Executor = ConnectedThreadPool(settings.WEB_THREADS, thread_name_prefix="at-once")


class DeadlineExceeded(Exception):
    """There was no result before the deadline."""


def classify_tickets(tickets: Sequence[Ticket], gate: Gate, *, seconds: float) -> None:
    """Classify tickets that the caller has claimed, and wait for it at most this long.

    Late work continues in its thread, which renews the claim; work that has not begun goes back to the queue, at once
    if the threads have more than enough to do. If the process dies or the work fails, the claim expires and a worker
    takes the tickets.
    """
    try:
        future = thread_pool.submit(_classify_renewing, tickets, gate)
    except QueueFull:
        claims.postpone(tickets, 0, attempted=False)
        return
    try:
        _result(future, seconds)
    except DeadlineExceeded:
        if future.cancel():
            claims.postpone(tickets, 0, attempted=False)


def classify_texts(texts: Sequence[str], gate: Gate, version: ContractVersion, *, seconds: float) -> list[Verdict]:
    """Verdicts on texts without storing them. Raises DeadlineExceeded, after which nothing continues, QueueFull, and
    PrimaryPaused.
    """
    abandoned = threading.Event()
    future = thread_pool.submit(unstored.classify_texts, texts, gate, version, is_abandoned=abandoned.is_set)
    try:
        return _result(future, seconds)
    finally:
        abandoned.set()
        future.cancel()


def _classify_renewing(tickets: Sequence[Ticket], gate: Gate) -> None:
    try:
        with leases.renewing(tickets):
            runner.classify_claimed(tickets, gate)
    except Exception:
        # The request may have ended, so nobody else would report it.
        logger.exception("Tickets could not be classified within the request; a worker will retry them.")


def _result(future: Future[T], seconds: float) -> T:
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise DeadlineExceeded from None
