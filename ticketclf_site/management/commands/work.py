from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError

from classifier.management.notices import warn_of_fallback_model
from ticketclf_site.processes import worker
from ticketclf_site.processes.leaving import leave


class Command(BaseCommand):
    help = "Run a worker process until Ctrl-C. Run as many as you like, on any number of machines."
    # They would load every page and the API, which a worker does not need.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--threads", type=int, default=settings.WORKER_THREADS, help="tasks at a time")

    def handle(self, *args: Any, threads: int, **options: Any) -> None:
        with suppress(OperationalError):  # the worker waits for a database that is down
            warn_of_fallback_model(self)
        worker.run(threads)
        leave()
