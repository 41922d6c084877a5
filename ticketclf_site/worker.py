"""A worker process, on the engine that the database implies."""

from django.db import connection

from . import pulse


def run(threads: int) -> None:
    """Work until SIGTERM or SIGINT, on so many tasks at a time."""
    with pulse.alive("worker"):
        if connection.vendor == "postgresql":
            from .engine import postgresql_worker

            postgresql_worker.run(threads)
        else:
            from .engine.sqlite_worker import WorkerProcess

            WorkerProcess(threads).run()
