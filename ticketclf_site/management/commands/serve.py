import os
import socket
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

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
        _check_folder()
        self.stdout.write(self.style.SUCCESS(f"Serving on http://{host}:{port} until Ctrl-C."))
        if host not in settings.THIS_MACHINE and settings.ALLOWED_HOSTS == settings.THIS_MACHINE:
            names = dict.fromkeys([*settings.THIS_MACHINE, *own_names(host)])
            os.environ["TICKETCLF_ALLOWED_HOSTS"] = ",".join(names)
            self.stdout.write(f"It answers to {', '.join(names)}. For other names, set TICKETCLF_ALLOWED_HOSTS.")
        with suppress(DatabaseError):  # both processes wait for a database that is down
            if not User.objects.filter(is_active=True).exists():
                self.stdout.write(f"Nobody can sign in yet: run {sys.executable} manage.py createsuperuser.")
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


def _check_folder() -> None:
    """Raises CommandError if nothing can be stored."""
    try:
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        writable = os.access(settings.VAR_DIR, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise CommandError(
            f"{settings.VAR_DIR} is not writable. Fix its permissions, or set TICKETCLF_VAR to another folder."
        )


def own_names(host: str) -> list[str]:
    """The names and the address by which other machines reach a server that listens on `host`."""
    names = [socket.gethostname(), socket.getfqdn()]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; only asks which of our addresses would be used
        names.append(probe.getsockname()[0])
    return names if host in ("0.0.0.0", "::") else [*names, host]  # noqa: S104 - not bound here


def _command(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
