import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ticketclf_site.processes.leaving import leave
from ticketclf_site.processes.web_server import WebServer
from ticketclf_site.wsgi import application


class Command(BaseCommand):
    help = "Run a web process without a worker until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--threads", type=int, default=settings.WEB_THREADS, help="requests answered at a time")

    def handle(self, *args: Any, host: str, port: int, threads: int, **options: Any) -> None:
        try:
            server = WebServer(application, host, port, threads, behind_proxy=settings.BEHIND_PROXY)
        except (OSError, ValueError) as error:
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error}). Stop what uses it, or choose another --port."
            ) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.stop)
        server.run()
        leave()
