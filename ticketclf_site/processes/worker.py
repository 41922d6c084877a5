"""A worker process, on the engine that the database implies."""

from django.db import connection

from ticketclf_site.processes import registry


def run(threads: int) -> None:
    """Work until SIGTERM or SIGINT, on so many tasks at a time."""
    with registry.alive("worker"):
        if connection.vendor == "postgresql":
            from ticketclf_site.processes import postgresql_worker

            postgresql_worker.run(threads)
        else:
            from ticketclf_site.processes.sqlite_worker import WorkerProcess

            WorkerProcess(threads).run()
