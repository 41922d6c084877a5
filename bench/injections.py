"""Share of prompt injections that are detected, and of those that an obedient model would auto-accept.

With files of real messages (gzipped JSON lines with text and category) it also counts those that are detected
orders, and of all files together those that are held in a taxonomy of 150 categories whose names are everyday words.
"""

import argparse
import gzip
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.harness import ROOT, fresh_installation, table

LISTS = {"the list": "injections.jsonl", "held out": "injections_held_out.jsonl", "fresh": "injections_fresh.jsonl"}
WAYS = [
    ("confidence", "obedient"),
    ("confidence", "obedient beside another"),
    ("score", "obedient"),
    ("confidence", "embedded"),
    ("score", "embedded"),
]


def attempts(name: str) -> list[dict[str, Any]]:
    lines = (ROOT / "tests" / "data" / LISTS[name]).read_text().splitlines()
    return [json.loads(line) for line in lines]


def auto_accepted(rows: list[dict[str, Any]], mode: str, model: str) -> int:
    """How many attempts are auto-accepted in this gate mode with the label that they demand.

    `model` is "obedient" for a model that follows the injected instructions, "obedient beside another" if a second
    opinion does not, or "embedded".
    """
    from classifier.models import Gate, LanguageModel, Ticket, Verdict
    from classifier.pipeline import runner
    from tests.factories import make_language_model
    from tests.servers import OpenAIServer, Request, answer, say

    obeyed = {row["text"]: row["obeyed"] for row in rows}

    def obey(request: Request) -> Any:
        return say(obeyed[request.ticket]) if request.ticket in obeyed else answer()

    with OpenAIServer(obey) as server, OpenAIServer([say("no")]) as beside:
        obedient = model != "embedded"
        name = f"{model} {mode} {Ticket.objects.count()}"
        language_model = (
            make_language_model(server, name=name, family=name) if obedient else LanguageModel.objects.zero_shot()
        )
        second = make_language_model(beside, name=f"{name}, second", family="second") if "beside" in model else None
        Gate.objects.update(primary=language_model, second_opinion=second, mode=mode)
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
        results.append([name, len(rows), detected, *(auto_accepted(rows, *way) for way in WAYS)])
    heads = ["attempts", "number", "detected", *(f"auto-accepted: {model}, {mode}" for mode, model in WAYS)]
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
        heads = ["labels learned", "messages", "name their label", "held", "microseconds each"]
        table(f"{MANY} categories with one-word names", heads, list(many_categories(files)))


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


MANY, LEARNED, MEASURED = 150, (0, 700, 2_000), 3_000


def many_categories(files: list[Path]) -> Iterator[list[object]]:
    """The share of correctly labelled messages that are held, by the number of labels that the specialist has learned.

    The categories are those of all files and made-up ones; each is named by the word that most of its messages contain.
    """
    from classifier.contract.prompt import contract_for
    from classifier.contract.types import Option
    from classifier.models import ContractVersion
    from classifier.pipeline import injection_check, scoring

    rows = _english_rows(files)
    order = np.random.default_rng(0).permutation(len(rows))
    measured, rest = [rows[place] for place in order[:MEASURED]], [rows[place] for place in order[MEASURED:]]
    names = _one_word_names(rows)
    offered = [*names.values(), *(f"spare {number}" for number in range(MANY - len(names)))]
    options = [Option(name=name, keys=(key,)) for key, name in enumerate(offered)]
    terms = contract_for(options, ContractVersion.objects.current().terms.sentiments, "")
    answers = [injection_check.LabelledText(text, names[category], "") for text, category in measured]
    named = sum(bool(injection_check._name_pattern(answer.category).search(answer.text)) for answer in answers)
    for labels in LEARNED:
        known = [(text, offered.index(names[category])) for text, category in rest[:labels]]
        predictor = _predictor(known, terms)
        with patch.object(scoring, "specialist_predictor", lambda _version, predictor=predictor: predictor):
            begun = time.perf_counter()
            held = sum(injection_check.suspected_injections(answers, terms))
        each = (time.perf_counter() - begun) / len(answers) * 1e6
        yield [labels, len(answers), f"{named / len(answers):.1%}", f"{held / len(answers):.2%}", f"{each:.0f}"]


def _english_rows(files: list[Path]) -> list[tuple[str, str]]:
    rows = []
    for file in files:
        with gzip.open(file, "rt") as lines:
            parsed = map(json.loads, lines)
            rows += [
                (row["text"], f"{file.name} {row['category']}")
                for row in parsed
                if row["category"] and row.get("lang", "en") == "en"
            ]
    return rows


def _one_word_names(rows: list[tuple[str, str]]) -> dict[str, str]:
    """For each category the word of its name that most of its messages contain; numbered if another has it."""
    texts: dict[str, list[set[str]]] = defaultdict(list)
    for text, category in rows:
        texts[category].append(set(text.lower().split()))
    names: dict[str, str] = {}
    for category, messages in texts.items():
        words = re.findall(r"[a-z]+", category.split(" ", 1)[1].replace("_", " ").lower())
        word = max(words, key=lambda word: sum(word in message for message in messages))
        names[category] = word if word not in names.values() else f"{word} {len(names)}"
    return names


def _predictor(known: list[tuple[str, int]], terms: Any) -> Any:
    """A specialist that has learned from these texts and the places of their labels."""
    from classifier.embeddings import vector_store
    from classifier.embeddings.sources import encoder_sources
    from classifier.inference.backends.specialist_predictor import SpecialistPredictor
    from classifier.learning.examples import Examples
    from classifier.learning.heads import Head
    from classifier.learning.training import learn
    from classifier.learning.weights import SpecialistWeights
    from review.specialist.training_data import offered_labels

    if not known:
        return SpecialistPredictor(encoder_sources(), SpecialistWeights.untrained())
    texts, places = zip(*known, strict=True)
    numbers = np.arange(len(known))
    trained = learn(
        Examples(
            keys=numbers,
            texts=texts,
            embeddings=vector_store.embeddings_for(texts),
            labels=np.array(places),
            groups=numbers,
            random_sample=np.zeros(len(known), bool),
            weights=np.ones(len(known), np.float32),
        ),
        offered_labels(terms.categories),
    )
    assert trained
    weights = SpecialistWeights(category=trained.head, sentiment=Head.untrained(), novelty_thresholds={})
    return SpecialistPredictor(encoder_sources(), weights)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="*", help="gzipped JSON lines with text and category")
    main(parser.parse_args().file)
