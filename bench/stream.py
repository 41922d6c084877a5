"""A file of real messages imported and classified by the running product, and what became of each."""

import argparse
import threading
import time
from pathlib import Path

from bench.harness import fresh_installation, model_server, resident_mb, table, use_server, worker


def main(file: Path, remote: bool, threads: int) -> None:
    fresh_installation()
    if not remote:
        _measure(file, "embedded", threads)
        return
    with model_server(delay=0.2, seed=7, rate_limit=0.05, broken_json=0.02, cut=0.01, hang=0.01) as base_url:
        use_server(base_url, in_flight=32, timeout=3)
        _measure(file, "remote, with faults", threads)


def _measure(file: Path, name: str, threads: int) -> None:
    from django.core.management import call_command
    from django.db.models import Count

    from classifier.models import Failure, Prediction, Ticket, Verdict

    most: list[float] = []
    with worker(threads) as pid:
        threading.Thread(target=_watch, args=[pid, most], daemon=True).start()
        begun = time.perf_counter()
        call_command("import_tickets", file, source="stream")
        imported = time.perf_counter() - begun
        while Ticket.objects.new().exists():
            time.sleep(0.2)
        elapsed = time.perf_counter() - begun
    tickets, held = Ticket.objects.count(), Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).count()
    verdicts = Verdict.objects.current()
    table(
        f"{file.name}, {name}",
        ["tickets", "import s", "tickets/s", "held", "predictions", "verdicts", "worker MB"],
        [
            [
                tickets,
                f"{imported:.1f}",
                f"{tickets / elapsed:.1f}",
                f"{held / tickets:.1%}",
                Prediction.objects.count(),
                verdicts.count(),
                f"{max(most):.0f}",
            ]
        ],
    )
    print("reasons:", dict(verdicts.values_list("reason").annotate(Count("pk"))))
    print("failures:", dict(Failure.objects.values_list("kind").annotate(Count("pk"))))


def _watch(pid: int, most: list[float]) -> None:
    while Path(f"/proc/{pid}").exists():
        most.append(resident_mb(pid))
        time.sleep(0.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--remote", action="store_true", help="by a local server with faults in place of the encoder")
    parser.add_argument("--threads", type=int, default=4)
    main(**vars(parser.parse_args()))
