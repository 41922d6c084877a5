"""A client of the HTTP API, to be copied: Python 3.11 or later and its standard library, nothing else.

client = Client("http://127.0.0.1:8000", os.environ["TICKETCLF_KEY"])
result = client.classify("My invoice #9922 has the wrong tax rate.")
print(result["category"], result["sentiment"], result["review_flag"])
"""

from __future__ import annotations

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
TRY_AGAIN = {429, 502, 503, 504}


class ProblemError(Exception):
    """The server refused; `problem` says why (RFC 9457): type, title, status, detail and perhaps errors."""

    def __init__(self, problem: Json) -> None:
        super().__init__(f"{problem.get('status')} {problem.get('title')}: {problem.get('detail')}")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Client:
    """`patience` is for how many seconds a call may wait and try again; `timeout` for one request, in seconds."""

    url: str
    key: str
    patience: float = 120.0
    timeout: float = 70.0

    def classify(self, text: str, *, deadline_ms: int = 10_000, **ticket: Any) -> Json:
        """What the model says of one text. It is stored as a ticket, once for each `external_id` of its `source`."""
        return self.classify_all([{"text": text} | ticket], deadline_ms=deadline_ms)[0]

    def classify_all(self, tickets: Sequence[Json], *, deadline_ms: int = 10_000) -> list[Json]:
        """The same for up to 64 tickets, in order; waits for those that are not done by the deadline."""
        name, until = str(uuid4()), time.monotonic() + self.patience
        body = {"tickets": [{"external_id": f"{name}-{place}"} | one for place, one in enumerate(tickets)]}
        answer: Json = self.post("/classify", body | {"deadline_ms": deadline_ms}, name)
        while any(one["ticket"]["state"] == "new" for one in answer["results"]) and time.monotonic() < until:
            time.sleep(1)
            # Another name, for by the first one the first answer is given again. The tickets are the same by their ids.
            answer = self.post("/classify", body | {"deadline_ms": deadline_ms}, str(uuid4()))
        results: list[Json] = answer["results"]
        return results

    def store(self, tickets: Sequence[Json]) -> Json:
        """Up to 1,000 tickets, each once; what became of each row stands in `results`."""
        return self.post("/tickets/bulk", {"tickets": list(tickets)}, str(uuid4()))

    def decide(self, ticket: int, category: str, sentiment: str, *, note: str = "", seen: bool = False) -> Json:
        """A label in the name of the key's person."""
        label = {"category": category, "sentiment": sentiment, "note": note, "seen": seen}
        return self.post("/decisions", {"ticket": ticket} | label, str(uuid4()))

    def each(self, path: str, **wanted: str) -> Iterator[Json]:
        """All rows of a list, such as "/tickets", page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, **wanted, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]

    def get(self, path: str, **query: str) -> Json:
        return self._send(f"{path}?{urlencode(query)}")

    def post(self, path: str, body: Mapping[str, Any], name: str) -> Json:
        """Sent again after a lost answer, it is carried out once: the server knows it by its `name`."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        return self._send(path, json.dumps(body).encode(), headers)

    def _send(self, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Json:
        """Tries again where the server says that it helps, or cannot be reached. Raises ProblemError, and URLError."""
        authorized = {"Authorization": f"Bearer {self.key}", **headers}
        request = Request(f"{self.url}/api/v1{path}", body, authorized)  # noqa: S310 - the address is its user's own
        until, pause = time.monotonic() + self.patience, 0.5
        while True:
            try:
                with urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - as above
                    answer: Json = json.load(response)
                    return answer
            except HTTPError as error:
                problem, wait = _problem(error), float(error.headers.get("Retry-After") or pause)
                under_way = problem.get("type") == "urn:ticketclf:problem:under-way"
                if not (error.code in TRY_AGAIN or under_way) or time.monotonic() + wait > until:
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
        problem = {"status": error.code, "title": error.reason, "detail": "The answer is no problem in JSON."}
    return problem


if __name__ == "__main__":
    for result in Client(sys.argv[1], sys.argv[2]).classify_all([{"text": line} for line in sys.stdin if line.strip()]):
        print(json.dumps(result, ensure_ascii=False))
