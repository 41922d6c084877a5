"""Run synchronous work from an event loop in daemon threads that keep their database connection."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

from django.db import close_old_connections, connection

Work = Callable[[], object]


class WorkerThreads:
    """A pool of daemon threads; unlike an executor's, they never delay the exit of the process."""

    def __init__(self, number: int) -> None:
        self._waiting: SimpleQueue[tuple[Work, Future[None]] | None] = SimpleQueue()
        self._number = number
        for index in range(number):
            threading.Thread(target=self._serve, name=f"worker-{index}", daemon=True).start()

    async def run(self, work: Work) -> None:
        """Run `work` in the next free thread and wait for it; its exceptions propagate."""
        future: Future[None] = Future()
        self._waiting.put((work, future))
        await asyncio.wrap_future(future)

    def end(self) -> None:
        """Have each thread close its connection and end once it is idle."""
        for _index in range(self._number):
            self._waiting.put(None)

    def _serve(self) -> None:
        while item := self._waiting.get():
            work, future = item
            if not future.set_running_or_notify_cancel():
                continue
            close_old_connections()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised in the waiting coroutine
                future.set_exception(error)
            else:
                future.set_result(None)
            close_old_connections()
        connection.close()
