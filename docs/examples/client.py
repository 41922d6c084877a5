"""A client for the HTTP API to copy. It needs Python 3.11 or later and only the standard library.

client = Client("http://127.0.0.1:8000", os.environ["TICKETCLF_KEY"])
result = client.classify("My invoice #9922 has the wrong tax rate.")
print(result["category"], result["sentiment"], result["review_flag"])
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

Json = dict[str, Any]
RETRYABLE = {429, 502, 503, 504}


class ProblemError(Exception):
    """An error response. `problem` is the RFC 9457 document: type, title, status, detail and sometimes errors."""

    def __init__(self, problem: Json) -> None:
        super().__init__(f"{problem.get('status')} {problem.get('title')}: {problem.get('detail')}")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Client:
    """`patience` is how long a call may wait and retry, `timeout` how long one request may take, both in seconds."""

    url: str
    key: str
    patience: float = 120.0
    timeout: float = 70.0

    def classify(self, text: str, *, deadline_ms: int = 10_000, **ticket: Any) -> Json:
        """Classify a text. It is stored as a ticket, once per `source` and `external_id`."""
        return self.classify_all([{"text": text} | ticket], deadline_ms=deadline_ms)[0]

    def classify_all(self, tickets: Sequence[Json], *, deadline_ms: int = 10_000) -> list[Json]:
        """Classify up to 64 tickets, in order. Waits for those that missed the deadline."""
        key, until = str(uuid4()), time.monotonic() + self.patience
        body = {"tickets": [{"external_id": f"{key}-{index}"} | ticket for index, ticket in enumerate(tickets)]}
        answer: Json = self.post("/classify", body | {"deadline_ms": deadline_ms}, key)
        while any(result["ticket"]["state"] == "new" for result in answer["results"]) and time.monotonic() < until:
            time.sleep(1)
            # The first key would replay the first answer. The external ids make these the same tickets.
            answer = self.post("/classify", body | {"deadline_ms": deadline_ms}, str(uuid4()))
        results: list[Json] = answer["results"]
        return results

    def store(self, tickets: Sequence[Json]) -> Json:
        """Store up to 1,000 tickets, each once. `results` has the outcome for each row."""
        return self.post("/tickets/bulk", {"tickets": list(tickets)}, str(uuid4()))

    def decide(
        self, ticket: int, category: str, sentiment: str, *, note: str = "", suggestion_shown: bool = False
    ) -> Json:
        """Record a label as the key's user."""
        label = {"category": category, "sentiment": sentiment, "note": note, "suggestion_shown": suggestion_shown}
        return self.post("/decisions", {"ticket": ticket} | label, str(uuid4()))

    def each(self, path: str, **filters: str) -> Iterator[Json]:
        """Every item of a list such as "/tickets", page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, **filters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]

    def get(self, path: str, **query: str) -> Json:
        return self._send(f"{path}?{urlencode(query)}")

    def post(self, path: str, body: Mapping[str, Any], idempotency_key: str) -> Json:
        """Carried out once, even if it is retried: the server recognizes the key."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        return self._send(path, json.dumps(body).encode(), headers)

    def _send(self, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Json:
        """Retries temporary errors and lost connections. Raises ProblemError and URLError."""
        authorized = {"Authorization": f"Bearer {self.key}", **headers}
        request = Request(f"{self.url}/api/v1{path}", body, authorized)  # noqa: S310 - the caller chose the address
        until, pause = time.monotonic() + self.patience, 0.5
        while True:
            try:
                with urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - as above
                    answer: Json = json.load(response)
                    return answer
            except HTTPError as error:
                problem, wait = _problem(error), float(error.headers.get("Retry-After") or pause)
                in_progress = problem.get("type") == "urn:ticketclf:problem:in-progress"
                if not (error.code in RETRYABLE or in_progress) or time.monotonic() + wait > until:
                    raise ProblemError(problem) from error
            except (URLError, HTTPException, ConnectionError, TimeoutError):
                wait = pause
                if time.monotonic() + wait > until:
                    raise
            time.sleep(wait)
            pause = min(pause * 2, 10)


def _problem(error: HTTPError) -> Json:
    try:
        problem: Json = json.load(error)
    except ValueError:
        problem = {"status": error.code, "title": error.reason, "detail": "The response is not JSON."}
    return problem


if __name__ == "__main__":
    for result in Client(sys.argv[1], sys.argv[2]).classify_all([{"text": line} for line in sys.stdin if line.strip()]):
        print(json.dumps(result, ensure_ascii=False))
