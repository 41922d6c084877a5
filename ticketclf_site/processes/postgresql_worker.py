"""A worker process on PostgreSQL: procrastinate's, woken by NOTIFY, known by its heartbeat, our tasks in threads."""

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

from classifier.log_context import log_fields
from ticketclf_site.processes.postgresql import RUN
from ticketclf_site.processes.sweep import SWEEP_SECONDS, sweep
from ticketclf_site.processes.threads import Threads

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
HEARTBEAT_SECONDS, DEAD_AFTER_SECONDS = 5.0, 20.0
MOST_RETRIES, FIRST_PAUSE = 5, 5
KEPT_HOURS = 24
# At most these of the engine's own; each thread has one more, and a batch in hand another for its heartbeat.
MOST_CONNECTIONS = 3


class Backoff(BaseRetryStrategy):
    """Another try after 5, 20, 80 ... seconds, and at once where a worker was stopped in the middle.

    What was enqueued once for all is not tried again: its rows say what is left to do, and the sweep has it done.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.queueing_lock or job.attempts >= MOST_RETRIES:
            return None
        pause = 0 if isinstance(exception, asyncio.CancelledError) else FIRST_PAUSE * 4**job.attempts
        return RetryDecision(retry_in={"seconds": pause})


def run(threads: int) -> None:
    """Work with so many tasks in hand until SIGTERM or SIGINT; what is in hand then gets a moment to finish.

    What does not finish in that moment is given back.
    """
    asyncio.run(_run(threads))


async def _run(number: int) -> None:
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    threads = Threads(number)
    while not stopping.is_set():
        try:
            await _work(threads, number, stopping)
        except Exception:
            logger.exception("The worker ended on an error, such as a lost database, and starts again.")
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 1)
    threads.end()


async def _work(threads: Threads, number: int, stopping: asyncio.Event) -> None:
    """Until told to stop, or until procrastinate ends for want of the database."""
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
        import_string(task).call(*args, **kwargs)


def application(threads: Threads) -> App:
    """What a worker knows how to do: run a task of ours, sweep, and forget what is long done with."""
    app = App(
        connector=PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=MOST_CONNECTIONS, timeout=10.0)
    )

    @app.task(name=RUN, retry=Backoff(), pass_context=True)
    async def run_task(context: JobContext, *, task: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        await threads.run(partial(_call, context.job.id, task, args, kwargs))

    @app.periodic(cron=f"* * * * * */{SWEEP_SECONDS}")
    @app.task(name="sweep", priority=100, lock="sweep", queueing_lock="sweep", pass_context=True)
    async def sweep_up(context: JobContext, timestamp: int) -> None:
        await give_back(context.app)
        await threads.run(sweep)

    @app.periodic(cron="0 * * * *")
    @app.task(name="forget", queueing_lock="forget", pass_context=True)
    async def forget_old(context: JobContext, timestamp: int) -> None:
        await forget(context.app)

    return app


async def give_back(app: App) -> None:
    """Have the jobs of workers that show no sign of life any more done by others."""
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_SECONDS):
        with suppress(ConnectorException):  # it was not dead, and has ended meanwhile
            if job.queueing_lock or job.attempts >= MOST_RETRIES:
                await manager.finish_job(job, Status.FAILED, delete_job=bool(job.queueing_lock))
            else:
                await manager.retry_job(job)


async def forget(app: App) -> None:
    """Delete the jobs that ended badly more than a day ago; those that ended well are gone at once."""
    await app.job_manager.delete_old_jobs(KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True)
