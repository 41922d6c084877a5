"""Tickets per second from the API to a verdict, by the embedded model on PostgreSQL with two workers, compared with the
bare encoder. `--soak` runs for that many minutes and watches memory, queue and tables.

PostgreSQL: set TEST_DATABASE_URL to a server where databases can be created.
"""

import argparse
import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from statistics import quantiles
from typing import Any

from bench import review as review_bench
from bench.harness import fresh_installation, messages, process_tree, resident_mb, table, worker
from bench.pages import SERVER
from bench.review import postgres

BULK = 500
EVERY = 30.0


class Sender(threading.Thread):
    """A help desk that sends its share of the texts, singly or in bulk, at a limited rate."""

    def __init__(self, key: str, name: str, texts: Iterator[str], *, bulk: bool, per_second: float = 0) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", review_bench.PORT, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._texts, self._bulk, self._pause = texts, bulk, 1 / per_second if per_second else 0
        self._sender = name
        self.milliseconds: list[float] = []
        self.sent = 0

    def run(self) -> None:
        while some := list(islice(self._texts, BULK if self._bulk else 1)):
            begun = time.perf_counter()
            self._post([self._ticket(text) for text in some])
            self.milliseconds.append((time.perf_counter() - begun) * 1000)
            time.sleep(max(self._pause * len(some) - (time.perf_counter() - begun), 0))

    def _ticket(self, text: str) -> dict[str, str]:
        self.sent += 1
        return {"text": text, "external_id": f"{self._sender}-{self.sent}"}

    def _post(self, tickets: list[dict[str, str]]) -> None:
        path, body = ("/bulk", {"tickets": tickets}) if self._bulk else ("", tickets[0])
        self._connection.request("POST", f"/api/v1/tickets{path}", json.dumps(body), self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status < 300, (response.status, answer[:300])


class Shared:
    """An iterator that several threads take from."""

    def __init__(self, items: Iterator[str]) -> None:
        self._items, self._lock = items, threading.Lock()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._lock:
            return next(self._items)


def bare(texts: list[str], seconds: float = 10.0) -> float:
    """Texts a second that the encoder alone gives vectors for, in this process."""

    from classifier.embeddings import encoders
    from classifier.embeddings.sources import encoder_sources

    model = encoders.load_onnx(encoder_sources()[0])
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        # As pieces, for vectors of texts are remembered.
        done += sum(1 for _piece in model.encode_pieces(texts[done % 512 : done % 512 + 64]))
    return done / (time.perf_counter() - begun)


def measure(key: str, texts: list[str], senders: int, *, bulk: bool) -> list[object]:
    """Until all of them are classified: tickets a second from the first request on, and the requests' times."""
    from classifier.models import Ticket

    before = Ticket.objects.count()
    shared = Shared(iter(texts))
    begun = time.perf_counter()
    posted = _sent([Sender(key, f"{bulk}-{number}", shared, bulk=bulk) for number in range(senders)])
    accepted_after = time.perf_counter() - begun
    while Ticket.objects.new().exists():
        time.sleep(0.2)
    elapsed = time.perf_counter() - begun
    assert Ticket.objects.count() - before == len(texts)
    cut = quantiles(posted, n=20) if len(posted) > 1 else posted * 20
    return [
        len(texts),
        f"{len(texts) / accepted_after:.0f}",
        f"{len(texts) / elapsed:.0f}",
        f"{cut[9]:.1f}",
        f"{cut[18]:.1f}",
    ]


def _sent(threads: list[Sender]) -> list[float]:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [milliseconds for thread in threads for milliseconds in thread.milliseconds]


def soak(key: str, minutes: float, per_second: float, processes: dict[str, int]) -> None:
    """Send at an even pace and print what grows: at the start, at the end, and by hour."""
    ending = time.monotonic() + minutes * 60

    def endless() -> Iterator[str]:
        texts, number = messages(150), 0
        while time.monotonic() < ending:
            number += 1
            yield f"{texts[number % 150]} {number}"

    shared = Shared(endless())
    threads = [Sender(key, f"soak-{number}", shared, bulk=False, per_second=per_second / 2) for number in range(2)]
    for thread in threads:
        thread.start()
    samples: list[tuple[float, dict[str, float]]] = []
    while any(thread.is_alive() for thread in threads):
        samples.append((time.monotonic(), _sample(processes)))
        print("  ".join(f"{name} {value:.0f}" for name, value in samples[-1][1].items()), flush=True)
        time.sleep(EVERY)
    _print_growth(samples)


def _sample(processes: dict[str, int]) -> dict[str, float]:
    from django.db import connection

    from classifier.models import Ticket

    sample = {f"{name} MB": _memory(pid) for name, pid in processes.items()}
    sample["waiting tickets"] = Ticket.objects.new().count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        sample["waiting tasks"] = cursor.fetchone()[0]
        for name in ("classifier_ticket", "classifier_prediction", "procrastinate_jobs"):
            cursor.execute("SELECT pg_total_relation_size(%s) / 1e6", [name])
            sample[f"{name} MB"] = float(cursor.fetchone()[0])
    connection.close()
    return sample


def _memory(pid: int) -> float:
    """Memory of a process with its children, in MB."""
    return sum(resident_mb(child) for child in process_tree(pid))


def _print_growth(samples: list[tuple[float, dict[str, float]]]) -> None:
    rows: list[list[object]] = []
    for name in samples[0][1]:
        points = [(at, sample[name]) for at, sample in samples]
        rows.append([name, f"{points[0][1]:.1f}", f"{points[-1][1]:.1f}", f"{_slope(points) * 3600:.1f}"])
    table("Soak, what is there", ["what", "at the start", "at the end", "slope by hour"], rows)


def _slope(points: list[tuple[float, float]]) -> float:
    """By least squares, of the second half: what is warmed up in the first does not count."""
    late = points[len(points) // 2 :]
    x, y = (sum(values) / len(late) for values in zip(*late, strict=True))
    spread = sum((at - x) ** 2 for at, _value in late)
    return sum((at - x) * (value - y) for at, value in late) / spread if spread else 0.0


@contextmanager
def running(workers: int, threads: int) -> Iterator[dict[str, int]]:
    """The web process and so many workers; their process ids by name."""
    with ExitStack() as stack:
        web = stack.enter_context(review_bench.server())
        pids = {f"worker {number + 1}": stack.enter_context(worker(threads)) for number in range(workers)}
        yield {"web": web} | pids


def _key() -> str:
    from django.contrib.auth.models import User

    from classifier.api import keys
    from classifier.models.api_keys import Scope

    person, _created = User.objects.get_or_create(username="review_settings", defaults={"is_superuser": True})
    return keys.create_key("bench", person, [Scope.TICKETS_WRITE], per_minute=0)[1]


def run(tickets: int, workers: int, threads: int, senders: int, minutes: float, per_second: float) -> None:
    from django.db import connection

    from classifier.models import Gate, LanguageModel

    Gate.objects.update(primary=LanguageModel.objects.zero_shot(), second_opinion=None)
    texts, key = messages(2 * tickets), _key()
    alone = bare(texts)
    with running(workers, threads) as processes:
        if minutes:
            soak(key, minutes, per_second, processes)
            return
        rows = [
            ["one by one", *measure(key, texts[:tickets], senders, bulk=False)],
            ["in bulk", *measure(key, texts[tickets:], 1, bulk=True)],
            ["the encoder alone", tickets, "", f"{alone:.0f}", "", ""],
        ]
        memory = ", ".join(f"{name} {_memory(pid):.0f} MB" for name, pid in processes.items())
    header = ["how", "tickets", "accepted/s", "classified/s", "POST p50 ms", "p95 ms"]
    table(f"Through the API on {connection.vendor}, {workers} workers of {threads}", header, rows)
    print(memory)


def main(**options: Any) -> None:
    with postgres(os.environ.get("TEST_DATABASE_URL", SERVER)):
        fresh_installation()
        run(**options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=5_000, help="of each kind of request")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4, help="of each worker")
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES", dest="minutes")
    parser.add_argument("--per-second", type=float, default=20, help="tickets sent while soaking")
    main(**vars(parser.parse_args()))
