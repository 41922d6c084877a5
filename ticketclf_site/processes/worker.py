"""A worker process for the database in use."""

from django.db import connection

from ticketclf_site.processes import registry


def run(threads: int) -> None:
    """Run up to `threads` tasks at a time until SIGTERM or SIGINT."""
    with registry.registered("worker"):
        if connection.vendor == "postgresql":
            from ticketclf_site.processes import postgresql_worker

            postgresql_worker.run(threads)
        else:
            from ticketclf_site.processes.sqlite_worker import WorkerProcess

            WorkerProcess(threads).run()
