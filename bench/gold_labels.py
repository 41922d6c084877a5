"""How long the doors of gold labels hold the write lock, with many labels stored and a burst of near-duplicates.

A process of its own keeps asking for SQLite's write lock; its longest wait is the figure.
"""

import argparse
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import ROOT, fresh_installation, table

SYLLABLES = [first + second for first in "bdfgklmnprstvw" for second in ("a", "e", "i", "o", "u")]
CHUNK = 2_000


def text(number: int, *, alike: bool = False) -> str:
    """About 250 characters. Texts that are alike differ in one word of thirty."""
    source = random.Random(0 if alike else number)  # noqa: S311 - texts
    words = ["".join(source.choices(SYLLABLES, k=3)) for _ in range(30)]
    own = random.Random(number)  # noqa: S311 - texts
    words[own.randrange(30)] = "".join(own.choices(SYLLABLES, k=3))
    return " ".join(words)


def store(number: int) -> None:
    """Fill the tables with labels that are unlike each other, with their places in the index."""
    from classifier.models import Category, Sentiment
    from review.duplicates import minhash
    from review.models import Band, DuplicateGroup, GoldLabel, Side

    categories, sentiments = list(Category.objects.all()), list(Sentiment.objects.all())
    for start in range(0, number, CHUNK):
        texts = [text(place) for place in range(start, min(start + CHUNK, number))]
        groups = DuplicateGroup.objects.bulk_create(
            DuplicateGroup(side=Side.TRAINING if place % 3 else Side.BENCHMARK) for place in range(len(texts))
        )
        labels = GoldLabel.objects.bulk_create(
            GoldLabel(
                text=words,
                digest=GoldLabel.digest_of(words),
                category=categories[place % len(categories)],
                sentiment=sentiments[place % len(sentiments)],
                origin=GoldLabel.Origin.IMPORT,
                group=group,
            )
            for place, (words, group) in enumerate(zip(texts, groups, strict=True))
        )
        Band.objects.bulk_create(
            Band(value=value, group=label.group, gold=label)
            for label in labels
            for value in minhash.bands(minhash.shingles(label.text), minhash.MOST_BANDS)
        )


@contextmanager
def longest_wait(waits: list[float]) -> Iterator[None]:
    """Append how long another writer waited for the lock at most, in seconds."""
    from django.db import connection

    database = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-m", "bench.gold_labels", "--wait-for", database]
    waiting = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        yield
    finally:
        waits.append(float(waiting.communicate("\n")[0]))


def wait_for_lock(database: Path) -> None:
    """Ask for the lock again and again until a line is read, and print the longest wait."""
    import select

    connection, longest = sqlite3.connect(database, timeout=600, isolation_level=None), 0.0
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        longest = max(longest, time.perf_counter() - begun)
        connection.execute("ROLLBACK")
    print(longest)


def main(stored: int, burst: int) -> None:
    fresh_installation()
    from review.datasets.importing import import_labels
    from review.datasets.record import Record
    from review.gold import snapshots
    from review.models import GoldLabel

    store(stored)
    records = [
        Record("", text(10**9 + place, alike=True), category="Billing", sentiment="Neutral") for place in range(burst)
    ]
    unlike = [Record("", text(2 * 10**9 + place), category="Billing") for place in range(1_000)]
    doors: dict[str, Callable[[], object]] = {
        f"import of {burst:,} that are alike": lambda: import_labels(records),
        "import of 1,000 that are not": lambda: import_labels(unlike),
        "snapshot of all": snapshots.create_snapshot,
        "snapshot deleted": lambda: snapshots.delete_snapshot(snapshots.create_snapshot()),
    }
    rows, waits = [], list[float]()
    for name, work in doors.items():
        begun = time.perf_counter()
        with longest_wait(waits):
            work()
        rows.append([name, f"{time.perf_counter() - begun:.1f}", f"{waits[-1]:.2f}"])
    table(f"With {GoldLabel.objects.count():,} gold labels", ["door", "seconds", "longest wait (<= 0.5)"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--burst", type=int, default=5_000)
    parser.add_argument("--wait-for", type=Path)
    arguments = parser.parse_args()
    if arguments.wait_for:
        wait_for_lock(arguments.wait_for)
    else:
        main(arguments.stored, arguments.burst)
