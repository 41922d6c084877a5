"""Dataset export in records per second as JSON lines and Parquet, compared with a bare dump of the same columns.

Each runs in a process of its own, to measure its own peak of memory. Pages of SQLite's file that are mapped, which the
system can reclaim, are listed separately.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench.harness import ROOT, fresh_installation, messages, table

_SERIES = "WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {number})"
_POSTGRES = "WITH series(i) AS (SELECT generate_series(1, {number}))"
_GOLD = """
INSERT INTO review_goldlabel (id, text, digest, category_id, sentiment_id, origin, state, note, group_id,
    predicted_category_id, predicted_sentiment_id, predicted_confidence, corrected, people, share, language, source,
    labelled_at, created_at)
{series} SELECT i + 1000, t.text || ' (' || i || ')', 'd' || i, {category}, {sentiment}, 'decision', 'active', '',
    {group}, {category}, {sentiment}, 0.6, {no}, 1, 0.855, 'en', 'mail', '2026-01-01 00:00:00+00:00',
    '2026-01-01 00:00:00+00:00'
FROM series JOIN bench_text t ON t.id = i % {texts}"""
_ITEMS = """
INSERT INTO review_snapshotitem (snapshot_id, position, gold_id, category, sentiment, side, origin, corrected, people,
    share, language, source, labelled_at, predicted_category, predicted_sentiment, predicted_confidence)
SELECT {snapshot}, id, id, category_id, sentiment_id, 'training', origin, corrected, people, share, language, source,
    labelled_at, predicted_category_id, predicted_sentiment_id, predicted_confidence
FROM review_goldlabel WHERE id > 1000"""
_DUMP = """
SELECT g.digest, g.text, i.category, i.sentiment, i.side, i.origin, i.corrected, i.people, i.share, i.language,
    i.source, i.labelled_at, i.predicted_category, i.predicted_sentiment, i.predicted_confidence
FROM review_snapshotitem i JOIN review_goldlabel g ON g.id = i.gold_id WHERE i.snapshot_id = {snapshot}
ORDER BY i.position"""


def fill(number: int) -> None:
    """A snapshot of so many labels of the training side, written by SQL alone."""
    from django.db import connection, transaction

    from classifier.models import Category, ContractVersion, Sentiment
    from review.models import DuplicateGroup, Snapshot

    texts = messages(150)
    group = DuplicateGroup.objects.create(side="training")
    category, sentiment = Category.objects.all()[0], Sentiment.objects.all()[0]
    names = {"categories": [[category.pk, category.name, ""]], "sentiments": [[sentiment.pk, sentiment.name, ""]]}
    counts = {"side": {"training": number}, "category": {category.pk: number}, "sentiment": {sentiment.pk: number}}
    snapshot = Snapshot.objects.create(
        digest="0" * 64,
        contract=ContractVersion.objects.current(),
        labels=names,
        counts=counts,
        items_count=number,
    )
    series = (_SERIES if connection.vendor == "sqlite" else _POSTGRES).format(number=number)
    values: dict[str, object] = {
        "category": category.pk,
        "sentiment": sentiment.pk,
        "group": group.pk,
        "texts": len(texts),
    }
    values |= {"no": "0" if connection.vendor == "sqlite" else "false", "snapshot": snapshot.pk, "series": series}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bench_text (id integer PRIMARY KEY, text text)")
        cursor.executemany("INSERT INTO bench_text VALUES (%s, %s)", list(enumerate(texts)))
        cursor.execute(_GOLD.format(**values))
        cursor.execute(_ITEMS.format(**values))


def write(kind: str, output: Path) -> None:
    """One of the exports, or the bare dump; prints seconds, peak memory, and how much of that is not a mapped file."""
    import django

    django.setup()
    from review.datasets import exporting
    from review.datasets.formats.registry import FORMATS
    from review.models import Snapshot

    snapshot = Snapshot.objects.get()
    done, own = threading.Event(), [0.0]
    watch = threading.Thread(target=_watch, args=[done, own])
    watch.start()
    begun = time.perf_counter()
    if kind == "dump":
        _dump(snapshot.pk, output)
    else:
        with output.open("wb") as file:
            file.writelines(exporting.stream(snapshot, FORMATS[kind]))
    seconds = time.perf_counter() - begun
    done.set()
    watch.join()
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, max(own))


def _watch(done: threading.Event, own: list[float]) -> None:
    while not done.wait(0.05):
        status = Path("/proc/self/status").read_text()
        own.append(int(status.split("RssAnon:")[1].split()[0]) / 1000)


def _dump(snapshot: int, output: Path) -> None:
    from django.db import connection

    sql = _DUMP.format(snapshot=snapshot)
    with output.open("w", newline="") as file:
        writer = csv.writer(file)
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(sql)
                for row in iter(cursor.fetchone, None):
                    writer.writerow(row)
            return
        connection.ensure_connection()
        assert connection.connection
        with connection.connection.transaction(), connection.connection.cursor(name="dump") as cursor:
            cursor.itersize = 5_000
            cursor.execute(sql)
            for row in cursor:
                writer.writerow(row)


def run(number: int, rounds: int) -> None:
    folder = fresh_installation()
    fill(number)
    from django.db import connection, connections

    vendor = connection.vendor
    connections.close_all()
    measured: dict[str, list[list[float]]] = {"dump": [], "jsonl": [], "parquet": []}
    for _round in range(rounds):
        for kind, figures in measured.items():
            command = [sys.executable, "-m", "bench.export", "--write", kind, str(folder / "out")]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - ours
            printed = done.stdout
            figures.append([float(figure) for figure in printed.split()[-3:]])
    bare = min(measured["dump"])[0]
    table(
        f"{number:,} labelled tickets on {vendor}, the best of {rounds} rounds",
        ["format", "rows/s", "of the bare dump (>= 0.50)", "peak MB", "of it not the mapped database (< 300)"],
        [_row(kind, number, bare, figures) for kind, figures in measured.items()],
    )


def _row(kind: str, number: int, bare: float, figures: list[list[float]]) -> list[object]:
    best = min(figures)[0]
    peak, own = (max(column) for column in list(zip(*figures, strict=True))[1:])
    return [kind, f"{number / best:,.0f}", f"{bare / best:.2f}", f"{peak:.0f}", f"{own:.0f}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--write", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write[0], Path(options.write[1]))
    elif options.postgres:
        from bench.review import postgres

        with postgres(os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")):
            run(options.number, options.rounds)
    else:
        run(options.number, options.rounds)
