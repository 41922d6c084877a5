"""An installation on PostgreSQL with its processes, a client that posts tickets, and a network connection to cut."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from bench.harness import ROOT
from bench.postgresql_server import PostgresServer, free_port

Process = subprocess.Popen[bytes]
SOURCE = "bench"


class RunningInstallation:
    """Its commands and processes; `url` is where these find the database, where that is not the server itself."""

    def __init__(self, server: PostgresServer, folder: Path, url: str = "") -> None:
        self.server = server
        self.log = folder / "log"
        self.environment = os.environ | {
            "DATABASE_URL": url or server.url,
            "TICKETCLF_VAR": str(folder),
            "TICKETCLF_WORKER_THREADS": "4",
        }
        self.processes: list[Process] = []

    def start(self, *arguments: str, module: str = "manage") -> Process:
        """A command of `manage.py`, or of a module like it, in a process group of its own."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(  # noqa: S603 - a command of ours
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "manage", *arguments]
        done = subprocess.run(  # noqa: S603 - a command of ours
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def worker(self) -> Process:
        return self.start("work")

    def web(self, port: int) -> Process:
        """The web process alone, when it answers."""
        process = self.start("web", "--port", str(port))
        while not _answers(port):
            time.sleep(0.1)
        return process

    def use(self, base_url: str, in_flight: int) -> None:
        """Put the model behind this URL in charge, alone."""
        self.server.rows("update classifier_provider set base_url = %s where name = 'Local server'", base_url)
        self.server.rows(
            "update classifier_languagemodel set max_in_flight = %s, timeout = 10, json_mode = 'json_schema'"
            " where name = 'local'",
            in_flight,
        )
        self.server.rows(
            "update classifier_gate set second_opinion_id = null,"
            " primary_id = (select id from classifier_languagemodel where name = 'local')"
        )

    def key(self) -> str:
        """A key of the API that may store tickets."""
        self.environment["DJANGO_SUPERUSER_PASSWORD"] = "only for a moment"  # noqa: S105 - of a database that goes
        with suppress(subprocess.CalledProcessError):  # is there already
            self.run("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@localhost")
        options = ["--user", "bench", "--scopes", "tickets:write", "--per-minute", "0"]
        return self.run("api_key", "bench", *options).split()[-1]

    def end(self) -> None:
        """Stop everything that still runs, by force if necessary."""
        for process in self.processes:
            end(process, signal.SIGTERM)
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            end(process, signal.SIGKILL)
        self.processes.clear()


def end(process: Process, number: int) -> None:
    """Send a signal to a process and its children; what has ended already needs none."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class TicketSender:
    """Posts tickets with unique ids from threads, and repeats each until it is stored."""

    def __init__(self, key: str, ports: list[int], *, threads: int = 4, pause: float = 0.15) -> None:
        self._key, self._ports, self._pause = key, ports, pause
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._post_all, args=[number]) for number in range(threads)]
        self.stored: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> "TicketSender":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends when the last ticket that was begun is stored."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _post_all(self, thread: int) -> None:
        number = 0
        while not self._stopping.is_set():
            name = f"{thread}-{number}"
            while reason := self._post(name, number):
                self.failed.append(reason)
                time.sleep(0.3)
            self.stored.append(name)
            number += 1
            time.sleep(self._pause)

    def _post(self, name: str, number: int) -> str:
        """The error, or "". As behind a load balancer, a port that refuses is not a failure if another answers."""
        body = json.dumps({"text": f"My invoice {name} is wrong", "source": SOURCE, "external_id": name})
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        reason = ""
        for turn in range(len(self._ports)):
            port = self._ports[(number + turn) % len(self._ports)]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.connect()
            except OSError as error:
                reason = f"refused: {error}"
                continue
            try:
                connection.request("POST", "/api/v1/tickets", body, headers)
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                return f"{type(error).__name__}"
            finally:
                connection.close()
            return "" if status in (200, 201) else str(status)
        return reason


class CuttableProxy:
    """A TCP connection to a server that can be cut, and comes back."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 0))
        self.port = free_port()
        self.url = url.replace(f":{parts.port}", f":{self.port}")
        self._ends: list[socket.socket] = []
        self._cut = False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """What runs over it ends in the middle, and nobody gets through any more."""
        self._cut = True
        for end in self._ends:
            _shut(end)
        self._ends.clear()

    def mend(self) -> None:
        self._cut = False

    def _accept(self) -> None:
        while True:
            near, _address = self._listener.accept()
            try:
                far = None if self._cut else socket.create_connection(self._target)
            except OSError:
                far = None
            if far is None:
                _shut(near)
                continue
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=[source, target], daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _shut(target)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/sign-in/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
