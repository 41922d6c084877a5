"""Speed of `import_tickets` on a CSV file, compared with a bare bulk_create of the same rows."""

import argparse
import csv
import io
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import fresh_installation, messages, table


def main(rows: int) -> None:
    results = []
    for _round in range(3):
        bare, bare_mb = _in_child(_bare, rows)
        command, command_mb = _in_child(_command, rows)
        results.append(
            [f"{bare:,.0f}", f"{command:,.0f}", f"{command / bare:.2f}", f"{bare_mb:.0f}", f"{command_mb:.0f}"]
        )
    _one, small_mb = _in_child(_command, rows // 10)
    table(
        f"Import of {rows:,} rows, rows a second",
        ["bare bulk_create", "import_tickets", "ratio (>= 0.40)", "bare MB", "import MB"],
        results,
    )
    print(f"import of a tenth of the rows: {small_mb:.0f} MB")


def _in_child(measure: Callable[[int], float], rows: int) -> tuple[float, float]:
    """Rows a second and peak memory in MB, from a process that does nothing else."""
    receiving, sending = os.pipe()
    if not (child := os.fork()):
        speed = measure(rows)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        os.write(sending, f"{speed} {peak}".encode())
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(sending)
    measured = os.read(receiving, 100).split()
    return float(measured[0]), float(measured[1])


def _rows(count: int) -> list[tuple[str, str, str]]:
    return [(f"t{number}", f"c{number % 997}@example.org", text) for number, text in enumerate(messages(count))]


def _bare(count: int) -> float:
    fresh_installation()
    from django.db import models

    from classifier.models import Ticket

    rows = _rows(count)
    bare: models.QuerySet[Ticket] = models.QuerySet(Ticket)
    begun = time.perf_counter()
    for start in range(0, count, 1_000):
        tickets = [Ticket(external_id=key, customer=who, text=text) for key, who, text in rows[start : start + 1_000]]
        bare.bulk_create(tickets)
    return count / (time.perf_counter() - begun)


def _command(count: int) -> float:
    folder = fresh_installation()
    from django.core.management import call_command

    file = folder / "tickets.csv"
    _write(file, count)
    begun = time.perf_counter()
    call_command("import_tickets", file, stdout=io.StringIO())
    return count / (time.perf_counter() - begun)


def _write(file: Path, count: int) -> None:
    """In a process of its own, so that the texts do not count as the import's memory."""
    if not (child := os.fork()):
        with file.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["external_id", "customer", "text"])
            writer.writerows(_rows(count))
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    main(**vars(parser.parse_args()))
