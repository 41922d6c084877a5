"""Zero-shot accuracy of the embedded model through the pipeline: of a file's categories, as the taxonomy, or of the
default sentiments.
"""

import argparse
import gzip
import json
from pathlib import Path

from bench.harness import fresh_installation, table

WANTED = {"category": 0.6, "sentiment": 0.74}


def main(file: Path, split: str, axis: str) -> None:
    fresh_installation()
    from classifier.models import Category, Ticket
    from classifier.models.verdict import current_verdict, with_current_verdicts
    from classifier.pipeline import runner

    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row[axis] and row.get("split", split) == split]
    if axis == "category":
        Category.objects.update(retired=True)
        Category.objects.bulk_create(Category(name=name) for name in sorted({row["category"] for row in rows}))
    Ticket.objects.bulk_create([Ticket(source="bench", external_id=row["id"], text=row["text"]) for row in rows])
    while runner.classify_next_batch():
        pass
    predicted = {
        ticket.external_id: getattr(verdict.prediction, axis).name
        for ticket in with_current_verdicts(Ticket.objects.filter(source="bench"))
        if (verdict := current_verdict(ticket)) and verdict.prediction
    }
    right = sum(predicted.get(row["id"]) == row[axis] for row in rows)
    table(
        f"Zero-shot, {file.name}",
        ["tickets", "labelled", "labels", f"accuracy (>= {WANTED[axis]:.2f})"],
        [[len(rows), len(predicted), len({row[axis] for row in rows}), f"{right / len(rows):.4f}"]],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with id, text, the axis and maybe split")
    parser.add_argument("--split", default="test")
    parser.add_argument("--axis", choices=WANTED, default="category")
    main(**vars(parser.parse_args()))
