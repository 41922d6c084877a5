"""Worker process for PostgreSQL: procrastinate with NOTIFY and heartbeats; tasks run in threads."""

import asyncio
import logging
import signal
from contextlib import suppress
from functools import partial
from typing import Any

from django.utils.module_loading import import_string
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status

from classifier.background import fits
from classifier.log_context import log_fields
from ticketclf_site.processes.postgresql import RUN
from ticketclf_site.processes.sweep import SWEEP_SECONDS, sweep
from ticketclf_site.processes.threads import WorkerThreads

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
HEARTBEAT_SECONDS, DEAD_AFTER_SECONDS = 5.0, 20.0
MAX_RETRIES, FIRST_RETRY_SECONDS = 5, 5
RETENTION_HOURS = 24
# Of procrastinate itself; each thread has another, and each running batch one more for its heartbeat.
MAX_CONNECTIONS = 3


class Backoff(BaseRetryStrategy):
    """Retry after 5, 20, 80 ... seconds, or at once if the worker was stopped.

    Tasks from `enqueue_once` are not retried: the sweep finds the work that is left in the database.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.queueing_lock or job.attempts >= MAX_RETRIES:
            return None
        pause = 0 if isinstance(exception, asyncio.CancelledError) else FIRST_RETRY_SECONDS * 4**job.attempts
        return RetryDecision(retry_in={"seconds": pause})


def run(threads: int) -> None:
    """Run up to `threads` tasks at a time until SIGTERM or SIGINT, then give running tasks GRACE_SECONDS to finish.

    Tasks that do not finish are retried by other workers.
    """
    asyncio.run(_run(threads))


async def _run(number: int) -> None:
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    threads = WorkerThreads(number)
    while not stopping.is_set():
        try:
            await _work(threads, number, stopping)
        except Exception:
            logger.exception("The worker failed, for example because the database was lost, and restarts.")
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 1)
    threads.end()


async def _work(threads: WorkerThreads, number: int, stopping: asyncio.Event) -> None:
    """Work until told to stop or until procrastinate loses the database."""
    app = application(threads)
    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                concurrency=number,
                install_signal_handlers=False,
                shutdown_graceful_timeout=GRACE_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=DEAD_AFTER_SECONDS,
                delete_jobs=DeleteJobCondition.SUCCESSFUL,
            )
        )
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopped.cancel()
        with suppress(asyncio.CancelledError):
            await working


def _call(job: int | None, task: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    with log_fields(task=str(job), job=task):
        if fits(task, args, kwargs):
            import_string(task).call(*args, **kwargs)


def application(threads: WorkerThreads) -> App:
    """The procrastinate app of a worker: run tasks, sweep, delete old jobs."""
    app = App(connector=PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=MAX_CONNECTIONS, timeout=10.0))

    @app.task(name=RUN, retry=Backoff(), pass_context=True)
    async def run_task(context: JobContext, *, task: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        await threads.run(partial(_call, context.job.id, task, args, kwargs))

    @app.periodic(cron=f"* * * * * */{SWEEP_SECONDS}")
    @app.task(name="sweep", priority=100, lock="sweep", queueing_lock="sweep", pass_context=True)
    async def sweep_periodically(context: JobContext, timestamp: int) -> None:
        await retry_stalled_jobs(context.app)
        await threads.run(sweep)

    @app.periodic(cron="0 * * * *")
    @app.task(name="delete_old_jobs", queueing_lock="delete_old_jobs", pass_context=True)
    async def delete_periodically(context: JobContext, timestamp: int) -> None:
        await delete_old_jobs(context.app)

    return app


async def retry_stalled_jobs(app: App) -> None:
    """Hand the jobs of workers without a heartbeat to other workers."""
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_SECONDS):
        with suppress(ConnectorException):  # the worker was alive after all and has finished the job
            if job.queueing_lock or job.attempts >= MAX_RETRIES:
                await manager.finish_job(job, Status.FAILED, delete_job=bool(job.queueing_lock))
            else:
                await manager.retry_job(job)


async def delete_old_jobs(app: App) -> None:
    """Delete jobs that failed more than a day ago; successful ones are deleted at once."""
    await app.job_manager.delete_old_jobs(
        RETENTION_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
