"""A worker process on SQLite: threads that run background tasks, and one that sweeps up what others left."""

import logging
import signal
import threading
from uuid import uuid4

from django.db import close_old_connections, connection
from django_tasks_db.management.commands.db_worker import Worker

from ticketclf_site.processes.sqlite import forget
from ticketclf_site.processes.sweep import SWEEP_SECONDS, sweep

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
GRACE_SECONDS = 10.0


class WorkerProcess:
    def __init__(self, threads: int) -> None:
        self._stopping = threading.Event()
        self._workers = [_worker() for _number in range(threads)]
        self._threads = [
            threading.Thread(target=self._work, args=[worker], name=f"worker-{number}", daemon=True)
            for number, worker in enumerate(self._workers)
        ]

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; what is in hand then gets a moment to finish.

        A batch that does not finish in that moment is taken up again when its claims run out.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        for thread in self._threads:
            thread.start()
        while not self._stopping.is_set():
            self._sweep()
            self._stopping.wait(SWEEP_SECONDS)
        for thread in self._threads:
            thread.join(GRACE_SECONDS / len(self._threads))

    def stop(self) -> None:
        self._stopping.set()
        for worker in self._workers:
            worker.running = False

    def _work(self, worker: Worker) -> None:
        # The loop ends on errors outside its tasks, such as a full disk; the work is still there when they are mended.
        while not self._stopping.is_set():
            try:
                worker.run()
            except Exception:
                logger.exception("A worker thread failed and starts again.")
                connection.close()
                self._stopping.wait(1)

    def _sweep(self) -> None:
        try:
            close_old_connections()
            sweep()
            forget()
        except Exception:
            logger.exception("Sweeping failed; it is tried again.")


def _worker() -> Worker:
    return Worker(
        queue_names=["*"],
        interval=POLL_SECONDS,
        batch=False,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=uuid4().hex,
        excluded_queue_names=[],
    )
