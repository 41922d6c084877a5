"""Background tasks on the engine of the database in use; some guarantees exist only on PostgreSQL."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_tasks import task

from classifier.background import Priority, enqueue_once
from tests.background import queued
from tests.installations import wait_until
from ticketclf_site.processes.threads import WorkerThreads

# Tasks are really committed here; only the engine's tables are written.
ENGINES = {"procrastinate.contrib.django", "django_tasks_db"}
pytestmark = [
    pytest.mark.django_db(transaction=True, available_apps=list(ENGINES & set(settings.INSTALLED_APPS))),
    pytest.mark.postgresql,
]
on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="about the engine on PostgreSQL")

DONE: list[str] = []
SLOW = threading.Event()


@task()
def note(text: str) -> None:
    DONE.append(text)


@task()
def fail(text: str) -> None:
    DONE.append(text)
    raise ValueError("it cannot be done")


@task()
def take_long() -> None:
    DONE.append("begun")
    SLOW.wait(20)


@pytest.fixture(autouse=True)
def nothing_done(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    DONE.clear()
    SLOW.clear()
    if connection.vendor == "postgresql":
        monkeypatch.setattr("ticketclf_site.processes.postgresql_worker.sweep", lambda: None)
    yield
    SLOW.set()


@contextmanager
def working(threads: int = 2) -> Iterator[None]:
    """Run a worker of PostgreSQL's engine in a thread during the block."""
    from ticketclf_site.processes import postgresql_worker

    loop, stopping = asyncio.new_event_loop(), asyncio.Event()
    pool = WorkerThreads(threads)
    work = postgresql_worker._work(pool, threads, stopping)
    thread = threading.Thread(target=lambda: loop.run_until_complete(work))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(20)
        loop.close()
        pool.end()


def jobs() -> list[tuple[str, int]]:
    """Status and number of attempts of each job."""
    with connection.cursor() as cursor:
        cursor.execute("select status, attempts from procrastinate_jobs where task_name = 'run' order by id")
        return list(cursor.fetchall())


def change(sql: str, *values: int | datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


def test_a_task_is_enqueued_only_if_its_transaction_commits() -> None:
    with transaction.atomic():
        note.enqueue("rolled back")
        transaction.set_rollback(True)
    note.using(priority=7).enqueue("stays")
    (waiting,) = queued()
    assert (waiting.args, waiting.priority) == (["stays"], 7)


def test_enqueue_once_adds_no_second_waiting_task() -> None:
    for _turn in range(3):
        enqueue_once(note, "a")
    enqueue_once(note, "b")
    enqueue_once(note.using(priority=Priority.INTERACTIVE), "a")
    assert sorted((waiting.args, waiting.priority) for waiting in queued()) == [(["a"], 0), (["a"], 50), (["b"], 0)]


def test_concurrent_enqueue_once_adds_one_task() -> None:
    start = threading.Barrier(6)

    def enqueue() -> None:
        start.wait()
        enqueue_once(note, "a")
        connection.close()

    threads = [threading.Thread(target=enqueue) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queued()) == 1


@pytest.mark.parametrize(("hours", "left"), [(1, 1), (25, 0)])
def test_finished_tasks_are_deleted_after_a_day(hours: int, left: int) -> None:
    fail.enqueue("x")
    then = timezone.now() - timedelta(hours=hours)
    if connection.vendor == "postgresql":
        change("update procrastinate_jobs set status = 'failed'")
        change("update procrastinate_events set at = %s", then)
        _delete_old_jobs()
        assert len(jobs()) == left
    else:
        from django_tasks_db.models import DBTaskResult

        from ticketclf_site.processes import sqlite

        DBTaskResult.objects.update(status="FAILED", finished_at=then)
        sqlite.delete_old_tasks()
        assert DBTaskResult.objects.count() == left


def _delete_old_jobs() -> None:
    from ticketclf_site.processes import postgresql_worker

    async def run() -> None:
        app = postgresql_worker.application(WorkerThreads(0))
        async with app.open_async():
            await postgresql_worker.delete_old_jobs(app)

    asyncio.run(run())


@on_postgresql
def test_a_worker_is_notified_and_interactive_tasks_go_first() -> None:
    note.enqueue("pile")
    note.using(priority=Priority.LOW).enqueue("leisure")
    note.using(priority=Priority.INTERACTIVE).enqueue("person")
    note.using(run_after=timezone.now() + timedelta(hours=1)).enqueue("later")
    with working(threads=1):
        wait_until(lambda: len(DONE) == 3)
        time.sleep(0.5)
        begun = time.monotonic()
        note.enqueue("woken")
        wait_until(lambda: "woken" in DONE)
    assert time.monotonic() - begun < 4, "it came by a poll, not by a wake-up"
    assert DONE == ["person", "pile", "leisure", "woken"]
    assert jobs() == [("todo", 0)]


@on_postgresql
def test_failed_tasks_are_retried_later_and_finally_logged(caplog: pytest.LogCaptureFixture) -> None:
    fail.enqueue("x")
    with working():
        wait_until(lambda: jobs() == [("todo", 1)])
        with connection.cursor() as cursor:
            cursor.execute("select scheduled_at from procrastinate_jobs where task_name = 'run'")
            assert timedelta(seconds=1) < cursor.fetchone()[0] - timezone.now() < timedelta(seconds=6)
        change("update procrastinate_jobs set attempts = 5, scheduled_at = null where task_name = 'run'")
        note.enqueue("wakes it")
        wait_until(lambda: jobs() == [("failed", 6)])
    records = [record for record in caplog.records if "it cannot be done" in str(record.exc_info)]
    assert records[-1].levelno == logging.ERROR


@on_postgresql
def test_a_failed_enqueue_once_task_is_left_to_the_sweep() -> None:
    enqueue_once(fail, "x")
    with working():
        wait_until(lambda: jobs() == [("failed", 1)])


@on_postgresql
def test_unfinished_tasks_of_a_stopped_worker_are_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketclf_site.processes.postgresql_worker.GRACE_SECONDS", 0.2)
    take_long.enqueue()
    with working():
        wait_until(lambda: DONE == ["begun"])
    assert jobs() == [("todo", 1)]


def _retry_stalled_jobs() -> None:
    from ticketclf_site.processes import postgresql_worker

    async def run() -> None:
        app = postgresql_worker.application(WorkerThreads(0))
        async with app.open_async():
            await postgresql_worker.retry_stalled_jobs(app)

    asyncio.run(run())


DEAD = """
    with dead as (insert into procrastinate_workers (last_heartbeat) values (now() - interval '1 minute') returning id)
    update procrastinate_jobs set status = 'doing', worker_id = (select id from dead)
"""


@on_postgresql
@pytest.mark.parametrize(("attempts", "expected"), [(0, ("todo", 1)), (5, ("failed", 6))])
def test_the_job_of_a_dead_worker_is_given_to_another(attempts: int, expected: tuple[str, int]) -> None:
    note.enqueue("x")
    change(DEAD)
    change("update procrastinate_jobs set attempts = %s", attempts)
    _retry_stalled_jobs()
    assert jobs() == [expected]


@on_postgresql
def test_an_enqueue_once_task_of_a_dead_worker_is_dropped() -> None:
    enqueue_once(note, "x")
    change(DEAD)
    enqueue_once(note, "x")
    _retry_stalled_jobs()
    assert jobs() == [("todo", 0)]


@on_postgresql
def test_the_job_of_a_living_worker_is_left_alone() -> None:
    note.enqueue("x")
    change(DEAD)
    change("update procrastinate_workers set last_heartbeat = now()")
    _retry_stalled_jobs()
    assert jobs() == [("doing", 0)]


@on_postgresql
def test_two_workers_sweep_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketclf_site.processes.postgresql_worker.SWEEP_SECONDS", 1)
    monkeypatch.setattr("ticketclf_site.processes.postgresql_worker.sweep", lambda: DONE.append("swept"))
    begun = time.time()
    with working(), working():
        wait_until(lambda: len(DONE) >= 2)
    assert len(DONE) <= int(time.time()) - int(begun) + 1
