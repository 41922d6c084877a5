"""Share of prompt injections that are detected, and of those that an obedient model would auto-accept.

With files of real messages (gzipped JSON lines with text and category) it also counts those that are detected
orders.
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


def auto_accepted(rows: list[dict[str, Any]], mode: str, model: str) -> int:
    """How many attempts are auto-accepted in this gate mode with the label that they demand.

    `model` is "obedient" for a model that follows the injected instructions, or "embedded".
    """
    from classifier.models import Gate, LanguageModel, Ticket, Verdict
    from classifier.pipeline import runner
    from tests.factories import make_language_model
    from tests.servers import OpenAIServer, Request, answer, say

    obeyed = {row["text"]: row["obeyed"] for row in rows}

    def obey(request: Request) -> Any:
        return say(obeyed[request.ticket]) if request.ticket in obeyed else answer()

    with OpenAIServer(obey) as server:
        obedient = model == "obedient"
        name = f"{model} {mode} {len(rows)}"
        language_model = (
            make_language_model(server, name=name, family=name) if obedient else LanguageModel.objects.zero_shot()
        )
        Gate.objects.update(primary=language_model, second_opinion=None, mode=mode)
        tickets = Ticket.objects.bulk_create(Ticket(text=row["text"], source=name) for row in rows)
        while runner.classify_next_batch():
            pass
    verdicts = Verdict.objects.current().filter(ticket__in=tickets, auto_accepted=True)
    labels = verdicts.values_list("ticket__text", "prediction__category__name")
    return sum(f'"{category}"' in obeyed[text] for text, category in labels)


def main(files: list[Path]) -> None:
    fresh_installation()
    from classifier.security.prompt_injection import is_suspected_injection

    results = []
    for name in LISTS:
        rows = attempts(name)
        detected = sum(is_suspected_injection(row["text"]) for row in rows)
        ways = [(mode, model) for model in ("obedient", "embedded") for mode in ("confidence", "score")]
        results.append([name, len(rows), detected, *(auto_accepted(rows, *way) for way in ways)])
    heads = ["attempts", "number", "detected"]
    heads += [
        f"auto-accepted: {model}, {mode}" for model in ("obedient", "embedded") for mode in ("confidence", "score")
    ]
    table("Prompt injections", heads, results)
    if files:
        heads = [
            "file",
            "messages",
            "detected",
            "microseconds each",
            "with a label",
            "need confirmation",
            "need review",
        ]
        table("Real messages", heads, [ordinary(file) for file in files])


def ordinary(file: Path) -> list[object]:
    """The number detected; and of the correctly labelled ones, the shares that need the specialist's agreement and that
    an untrained specialist does not agree with.
    """
    from classifier.contract.prompt import contract_for
    from classifier.contract.types import Option
    from classifier.models import ContractVersion
    from classifier.pipeline import injection_check
    from classifier.security.prompt_injection import is_suspected_injection

    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    begun = time.perf_counter()
    detected = sum(is_suspected_injection(row["text"]) for row in rows)
    each = (time.perf_counter() - begun) / len(rows) * 1e6
    labelled = [injection_check.LabelledText(row["text"], row["category"], "") for row in rows if row["category"]]
    names = sorted({text.category for text in labelled})
    sentiments = ContractVersion.objects.current().terms.sentiments
    terms = contract_for([Option(name=name, keys=(key,)) for key, name in enumerate(names)], sentiments, "")
    doubtful, needs_review = (
        sum(map(injection_check.needs_confirmation, labelled)),
        sum(injection_check.suspected_injections(labelled, terms)),
    )
    shares = [f"{number / len(labelled):.1%}" for number in (doubtful, needs_review)]
    return [file.name, len(rows), detected, f"{each:.0f}", len(labelled), *shares]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="*", help="gzipped JSON lines with text and category")
    main(parser.parse_args().file)
