from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from classifier.management.notices import say_who_answers
from ticketclf_site.worker import WorkerProcess


class Command(BaseCommand):
    help = "Run a worker process until Ctrl-C. Any number of them may run, on any number of machines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--threads", type=int, default=settings.WORKER_THREADS)

    def handle(self, *args: Any, threads: int, **options: Any) -> None:
        say_who_answers(self)
        WorkerProcess(threads).run()
