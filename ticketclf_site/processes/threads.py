"""Synchronous work from an event loop, in threads that keep their database connection and hold up no exit."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

from django.db import close_old_connections, connection

Work = Callable[[], object]


class Threads:
    """So many daemon threads: unlike an executor's they end with the process, whatever they are at."""

    def __init__(self, number: int) -> None:
        self._waiting: SimpleQueue[tuple[Work, Future[None]] | None] = SimpleQueue()
        self._number = number
        for one in range(number):
            threading.Thread(target=self._serve, name=f"worker-{one}", daemon=True).start()

    async def run(self, work: Work) -> None:
        """Do it in the next free thread. Raises what it raises."""
        future: Future[None] = Future()
        self._waiting.put((work, future))
        await asyncio.wrap_future(future)

    def end(self) -> None:
        """Those that have nothing to do close their connection and go; the others once they are through."""
        for _one in range(self._number):
            self._waiting.put(None)

    def _serve(self) -> None:
        while given := self._waiting.get():
            work, future = given
            if not future.set_running_or_notify_cancel():
                continue
            close_old_connections()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised to whoever waits
                future.set_exception(error)
            else:
                future.set_result(None)
            close_old_connections()
        connection.close()
