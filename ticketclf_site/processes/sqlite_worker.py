"""Worker process for SQLite: threads run tasks, the main thread sweeps."""

import logging
import signal
import threading
from typing import Any
from uuid import uuid4

from django.db import close_old_connections, connection
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from classifier.background import fits
from ticketclf_site.processes.sqlite import delete_old_tasks
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
        """Run until SIGTERM or SIGINT, then give running tasks GRACE_SECONDS to finish.

        Tickets of a batch that does not finish are processed again once their leases expire.
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
        # `run` ends on errors outside tasks, such as a full disk; the tasks are still there afterwards.
        while not self._stopping.is_set():
            try:
                worker.run()
            except Exception:
                logger.exception("A worker thread failed and restarts.")
                connection.close()
                self._stopping.wait(1)

    def _sweep(self) -> None:
        try:
            close_old_connections()
            sweep()
            delete_old_tasks()
        except Exception:
            logger.exception("The sweep failed and will be retried.")


class _Worker(Worker):
    def run_task(self, db_task_result: "DBTaskResult[Any, Any]") -> None:
        queued = db_task_result.args_kwargs
        if fits(db_task_result.task_path, queued["args"], queued["kwargs"]):
            super().run_task(db_task_result)
        else:
            db_task_result.delete()


def _worker() -> Worker:
    return _Worker(
        queue_names=["*"],
        interval=POLL_SECONDS,
        batch=False,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=uuid4().hex,
        excluded_queue_names=[],
    )
