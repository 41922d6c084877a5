"""Classifies in a thread while a request waits, up to a deadline; late work continues in the background."""

import logging
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


class ConnectedThreadPool(ThreadPoolExecutor):
    """Threads that reuse their database connections while those are usable."""

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(_with_connection, work, *args, **kwargs)


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

    Late work continues in its thread, which renews the claim; work that has not begun goes back to the queue. If the
    process dies or the work fails, the claim expires and a worker takes the tickets.
    """
    future = thread_pool.submit(_classify_renewing, tickets, gate)
    try:
        _result(future, seconds)
    except DeadlineExceeded:
        if future.cancel():
            claims.postpone(tickets, 0, attempted=False)


def classify_texts(texts: Sequence[str], gate: Gate, version: ContractVersion, *, seconds: float) -> list[Verdict]:
    """Verdicts on texts without storing them. Raises DeadlineExceeded."""
    return _result(thread_pool.submit(unstored.classify_texts, texts, gate, version), seconds)


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
