import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ticketclf_site.processes import supervisor


class Command(BaseCommand):
    help = "Serve the web app and its workers until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--threads", type=int, default=settings.WORKER_THREADS, help="of the worker: tasks at a time"
        )

    def handle(self, *args: Any, host: str, port: int, threads: int, **options: Any) -> None:
        _check_free(host, port)
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        self.stdout.write(self.style.SUCCESS(f"Serving on http://{host}:{port} until Ctrl-C."))
        web = _command("web", "--host", host, "--port", str(port))
        supervisor.exec_supervisor({"web": web, "worker": _command("work", "--threads", str(threads))})


def _check_free(host: str, port: int) -> None:
    """Raises CommandError if the address cannot be bound."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses it, or choose another --port."
        ) from error


def _command(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
