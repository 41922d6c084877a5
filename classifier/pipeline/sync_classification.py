"""Work that somebody waits for, up to a deadline: it is done in a thread, and goes on where it comes too late."""

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
    """Threads that keep their connections to the database from one piece of work to the next, while those are good."""

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
    """There was no answer before the deadline."""


def classify_tickets(tickets: Sequence[Ticket], gate: Gate, *, seconds: float) -> None:
    """Bring tickets that the caller has claimed to a verdict, and wait so long for it at the most.

    What takes longer goes on: in the thread that is at it, whose claim is kept meanwhile, or, where none has begun, as
    work for anybody. If the process dies or the work fails, the claim runs out and a worker takes the tickets.
    """
    future = thread_pool.submit(_classify_renewing, tickets, gate)
    try:
        _result(future, seconds)
    except DeadlineExceeded:
        if future.cancel():
            claims.postpone(tickets, 0, attempted=False)


def classify_texts(texts: Sequence[str], gate: Gate, version: ContractVersion, *, seconds: float) -> list[Verdict]:
    """Verdicts on texts that are no tickets; nothing is stored. Raises TooLong."""
    return _result(thread_pool.submit(unstored.classify_texts, texts, gate, version), seconds)


def _classify_renewing(tickets: Sequence[Ticket], gate: Gate) -> None:
    try:
        with leases.renewing(tickets):
            runner.classify_claimed(tickets, gate)
    except Exception:
        # Perhaps nobody waits any more who would hear of it.
        logger.exception("Tickets could not be classified at once; they are tried again.")


def _result(future: Future[T], seconds: float) -> T:
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise DeadlineExceeded from None
