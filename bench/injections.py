"""Tickets that give orders to the model: how many are recognised, and how many an obedient model gets past the gate.

With files of real messages (gzipped JSON lines with a text) it also counts those that are taken for such orders.
"""

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any

from bench.harness import ROOT, fresh_installation, table

LISTS = {"the list": "injections.jsonl", "held out": "injections_held_out.jsonl"}


def attempts(name: str) -> list[dict[str, Any]]:
    lines = (ROOT / "tests" / "data" / LISTS[name]).read_text().splitlines()
    return [json.loads(line) for line in lines]


def passed(rows: list[dict[str, Any]], mode: str, model: str) -> int:
    """How many of these the gate lets pass in this mode, as a model labels them that does what it is told, or the
    embedded one.
    """
    from classifier import pipeline
    from classifier.models import Gate, ModelSpec, Ticket, Verdict
    from tests.factories import make_spec
    from tests.servers import OpenAIServer, Request, answer, say

    obeyed = {row["text"]: row["obeyed"] for row in rows}

    def obey(request: Request) -> Any:
        return say(obeyed[request.ticket]) if request.ticket in obeyed else answer()

    with OpenAIServer(obey) as server:
        obedient = model == "obedient"
        name = f"{model} {mode} {len(rows)}"
        spec = make_spec(server, name=name, family=name) if obedient else ModelSpec.objects.embedded()
        Gate.objects.update(primary=spec, second_opinion=None, mode=mode)
        tickets = Ticket.objects.bulk_create(Ticket(text=row["text"], source=name) for row in rows)
        while pipeline.work_off():
            pass
    return Verdict.objects.current().filter(ticket__in=tickets, accepted=True).count()


def main(files: list[Path]) -> None:
    fresh_installation()
    from classifier.injection import speaks_to_the_model

    found = []
    for name in LISTS:
        rows = attempts(name)
        recognised = sum(speaks_to_the_model(row["text"]) for row in rows)
        ways = [(mode, model) for model in ("obedient", "embedded") for mode in ("confidence", "score")]
        found.append([name, len(rows), recognised, *(passed(rows, *way) for way in ways)])
    heads = ["attempts", "number", "recognised"]
    heads += [f"passed: {model}, {mode}" for model in ("obedient", "embedded") for mode in ("confidence", "score")]
    table("Orders to the model", heads, found)
    if files:
        heads = ["file", "messages", "taken for orders", "share", "microseconds each"]
        table("Real messages", heads, [ordinary(file) for file in files])


def ordinary(file: Path) -> list[object]:
    from classifier.injection import speaks_to_the_model

    with gzip.open(file, "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    begun = time.perf_counter()
    taken = sum(map(speaks_to_the_model, texts))
    each = (time.perf_counter() - begun) / len(texts) * 1e6
    return [file.name, len(texts), taken, f"{taken / len(texts):.4%}", f"{each:.0f}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="*", help="gzipped JSON lines with a text")
    main(parser.parse_args().file)
