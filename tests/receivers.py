"""A local server that records requests, with the faults of real ones: `with Receiver(503) as receiver:`."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """A received request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False
    drips: bool = False
    cut: bool = False


Answer = Reply | Callable[[Got], Reply]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class Receiver:
    """Answers in order; the last answer repeats."""

    def __init__(self, *answers: Answer | int) -> None:
        self.answers = [Reply(status=answer) if isinstance(answer, int) else answer for answer in answers or (204,)]
        self.got: list[Got] = []
        self._lock, self._over = threading.Lock(), threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, got: Got) -> Reply:
        with self._lock:
            answer = self.answers[min(len(self.got), len(self.answers) - 1)]
            self.got.append(got)
        return answer if isinstance(answer, Reply) else answer(got)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                reply = receiver._reply(Got(self.command, self.path, headers, body))
                while reply.drips and not receiver._over.wait(0.05):
                    self.wfile.write(b"H")
                    self.wfile.flush()
                if reply.hangs:
                    receiver._over.wait(10)
                if reply.hangs or reply.cut or reply.drips:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = _answer

            def log_message(self, *_given: Any) -> None:
                pass

        return Handler
