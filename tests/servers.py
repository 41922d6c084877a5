"""A local server that speaks the OpenAI chat and decisions protocols, with the faults of real ones.

In a test: `with OpenAIServer(reply) as server:` and ask `server.base_url`. As a process, for measuring:
`python -m tests.servers --delay 0.2 --rate-limit 0.05`.
"""

import argparse
import asyncio
import hashlib
import json
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    COMPLETION = "completion"
    ERROR = "error"
    HTML = "html"
    RAW = "raw"
    CUT = "cut"
    HANG = "hang"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How the server responds to a request. `delay` is in seconds; `logprobs` are sent only on request."""

    kind: Kind = Kind.COMPLETION
    content: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    logprobs: Any = None
    status: int = 200
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    delay: float = 0.0
    input_tokens: int = 400
    output_tokens: int = 40


@dataclass(frozen=True)
class Request:
    """A received request: header names in lower case, the JSON body, and when it was read."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def ticket(self) -> str:
        """The text in the last line of the first user message, unquoted."""
        message = next(m["content"] for m in self.body["messages"] if m["role"] == "user")
        text: str = json.loads(message.rsplit("\n", 1)[1])
        return text

    @property
    def solved(self) -> list[dict[str, str]]:
        """The solved tickets shown as examples, with their labels."""
        message = next(m["content"] for m in self.body["messages"] if m["role"] == "user")
        return [json.loads(line) for line in message.split("\n") if line.startswith("{")]

    @property
    def json_mode(self) -> str:
        return str(self.body.get("response_format", {}).get("type", ""))

    @property
    def logprobs(self) -> bool:
        """Whether log-probabilities are requested."""
        return bool(self.body.get("logprobs"))


Replier = Callable[[Request], Reply]


def answer(
    category: str = "Technical",
    sentiment: str = "Negative",
    confidence: float = 0.93,
    reasoning: str = "It says that something broke.",
    **extra: Any,
) -> Reply:
    """A valid answer; keyword arguments beyond the four keys are added to the object."""
    values = {"category": category, "sentiment": sentiment, "confidence": confidence, "reasoning": reasoning}
    return say(json.dumps(values | extra))


def decision(**shares: dict[str, float] | None) -> Reply:
    """A decision: by question, the probability of each option, or None for a refusal."""
    answers = [
        {"type": "refusal", "name": name}
        if options is None
        else {
            "type": "choice",
            "name": name,
            "choice": max(options, key=options.__getitem__),
            "confidence": max(options.values()),
            "probabilities": [{"value": value, "probability": share} for value, share in options.items()],
        }
        for name, options in shares.items()
    ]
    usage = {"input_tokens": 300, "output_tokens": 2, "total_tokens": 302}
    return raw(json.dumps({"answers": answers, "model": "decider", "usage": usage}).encode())


def say(content: str, **changes: Any) -> Reply:
    return Reply(content=content, **{"logprobs": spelled(re.findall(r"\W*\w+|\W+", content))} | changes)


def spelled(tokens: Sequence[str], logprob: float = -0.25) -> dict[str, Any]:
    """The log-probabilities of a reply made of these tokens, in the protocol's format."""
    each = {"logprob": logprob, "top_logprobs": []}
    return {"content": [{"token": token, "bytes": list(token.encode())} | each for token in tokens], "refusal": None}


def error(status: int, message: str = "it went wrong", code: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(kind=Kind.ERROR, status=status, content=message, code=code, headers=named)


def html() -> Reply:
    return Reply(kind=Kind.HTML, raw=b"<!doctype html><title>Hello</title><p>This is a web page.</p>")


def raw(body: bytes) -> Reply:
    """A 200 with any body, labelled JSON."""
    return Reply(kind=Kind.RAW, raw=body)


CUT = Reply(kind=Kind.CUT)
HANG = Reply(kind=Kind.HANG)


def without_json_schema(reply: Replier) -> Replier:
    """Like servers without JSON schema support: 400 if a schema is sent, else the reply."""

    def replier(request: Request) -> Reply:
        if request.json_mode == "json_schema":
            return error(400, "response_format type json_schema is not supported by this model")
        return reply(request)

    return replier


def without_logprobs(reply: Replier, status: int = 400) -> Replier:
    """Like servers without log-probabilities: an error if they are requested, else the reply."""

    def replier(request: Request) -> Reply:
        if request.logprobs:
            return error(status, "This model does not support 'logprobs'.")
        return reply(request)

    return replier


def by_text(categories: Sequence[str], sentiments: Sequence[str]) -> Replier:
    """Labels that depend only on the text, mostly with high confidence."""

    def replier(request: Request) -> Reply:
        number = int.from_bytes(hashlib.sha256(request.ticket.encode(errors="replace")).digest()[:4], "big")
        confidence = 0.95 if number % 10 < 7 else 0.6
        return answer(categories[number % len(categories)], sentiments[number % len(sentiments)], confidence)

    return replier


class Faults:
    """Replaces a seeded share of the replies by faults."""

    def __init__(
        self,
        reply: Replier,
        *,
        rate_limit: float = 0.0,
        broken_json: float = 0.0,
        cut: float = 0.0,
        hang: float = 0.0,
        server_error: float = 0.0,
        retry_after: float = 1.0,
        seed: int = 0,
    ) -> None:
        self._reply = reply
        self._random = random.Random(seed)  # noqa: S311 - a repeatable choice of faults
        self._faults = [
            (rate_limit, error(429, "slow down", retry_after=str(retry_after))),
            (broken_json, say('{"category": "Technical", "senti')),
            (cut, CUT),
            (hang, HANG),
            (server_error, error(500)),
        ]

    def __call__(self, request: Request) -> Reply:
        chance = self._random.random()
        for share, fault in self._faults:
            if chance < share:
                return fault
            chance -= share
        return self._reply(request)


class OpenAIServer:
    """Answers with a callable, or with the replies of a list in order; the last one repeats."""

    def __init__(
        self,
        reply: Replier | Sequence[Reply] | None = None,
        *,
        delay: float = 0.0,
        required_key: str = "",
        port: int = 0,
    ) -> None:
        reply = reply if reply is not None else [answer()]
        self._reply = reply if callable(reply) else _in_turn(list(reply))
        self._delay = delay
        self._required_key = required_key
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._handlers: set[asyncio.Task[None]] = set()
        self.requests: list[Request] = []
        self.outcomes: Counter[str] = Counter()
        self.connections = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.base_url = ""

    def __enter__(self) -> "OpenAIServer":
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(5)
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=8 * 2**20, backlog=512)
        host, port = self._server.sockets[0].getsockname()
        self.base_url = f"http://{host}:{port}/v1"

    async def stop(self) -> None:
        self._server.close()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler
        self._handlers.add(handler)
        self.connections += 1
        try:
            while request := await _read(reader):
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._handlers.discard(handler)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        self.requests.append(request)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            reply = self._chosen(request)
            self.outcomes[str(reply.status) if reply.kind == Kind.ERROR else reply.kind] += 1
            if pause := reply.delay or (self._delay if reply.kind != Kind.ERROR else 0):
                await asyncio.sleep(pause)
            if reply.kind == Kind.HANG:
                await asyncio.Event().wait()
        finally:
            self.in_flight -= 1
        status, content_type, body = _body(request, reply)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        cut = reply.kind == Kind.CUT
        writer.write(head.encode() + b"\r\n" + (body[: len(body) // 2] if cut else body))
        await writer.drain()
        return not cut

    def _chosen(self, request: Request) -> Reply:
        if (request.method, request.path) not in (("POST", "/v1/chat/completions"), ("POST", "/v1/decisions")):
            return error(404, f"there is no {request.method} {request.path}")
        if self._required_key and request.headers.get("authorization") != f"Bearer {self._required_key}":
            return error(401, "Incorrect API key provided")
        return self._reply(request)


def _in_turn(replies: list[Reply]) -> Replier:
    return lambda _request: replies.pop(0) if len(replies) > 1 else replies[0]


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _version = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, json.loads(body) if body else {}, time.monotonic())


def _body(request: Request, reply: Reply) -> tuple[int, str, bytes]:
    if reply.kind == Kind.ERROR:
        problem = {"error": {"message": reply.content, "type": "error", "param": None, "code": reply.code}}
        return reply.status, "application/json", json.dumps(problem).encode()
    if reply.kind == Kind.HTML:
        return 200, "text/html", reply.raw
    if reply.kind == Kind.RAW:
        return 200, "application/json", reply.raw
    message = {"role": "assistant", "content": None if reply.refusal else reply.content, "refusal": reply.refusal}
    logprobs = reply.logprobs if request.logprobs else None
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": request.body.get("model", ""),
        "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": reply.finish_reason}],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }
    return 200, "application/json", json.dumps(completion).encode()


async def _run(options: argparse.Namespace) -> None:
    shares = {name: getattr(options, name) for name in ("rate_limit", "broken_json", "cut", "hang", "server_error")}
    replier = Faults(
        by_text(options.labels.split(","), ["Positive", "Neutral", "Negative"]),
        retry_after=options.retry_after,
        seed=options.seed,
        **shares,
    )
    server = OpenAIServer(replier, delay=options.delay, port=options.port)
    await server.start()
    print(server.base_url, flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop()
    print(json.dumps({"requests": len(server.requests), "most_in_flight": server.max_in_flight} | server.outcomes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--labels", default="Billing,Technical,Account,General")
    parser.add_argument("--seed", type=int, default=0)
    for name in ("delay", "rate-limit", "broken-json", "cut", "hang", "server-error"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--retry-after", type=float, default=1.0)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_run(_options()))
