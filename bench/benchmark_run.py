"""Duration of a benchmark run of three models that take a second per answer, compared with the ideal.

In the first row the models share 64 requests in flight; in the second each model has 64. A single Python process can
hardly receive that many answers per second.
"""

import argparse
import time
from typing import TYPE_CHECKING

from bench.harness import fresh_installation, messages, model_server, table

if TYPE_CHECKING:
    from review.models import GoldLabel, Snapshot

IN_FLIGHT = 64


def run(items: int, models: int, delay: float) -> None:
    fresh_installation()
    from review.gold import gold_labels, snapshots
    from review.models import Side

    labels = _labels(items)
    gold_labels.add_gold_labels(labels, {label.digest: Side.BENCHMARK for label in labels})
    snapshot = snapshots.create_snapshot({"origin": ["import"]})
    rows = []
    for name, in_flight in (("64 in flight in all", IN_FLIGHT // models), ("64 in flight each", IN_FLIGHT)):
        with model_server(delay=delay) as base_url:
            seconds, answered = _time(snapshot, base_url, models, in_flight)
        # Each model is asked beside the others.
        ideal = -(-snapshot.items_count // in_flight) * delay
        rows.append([name, f"{ideal:.1f}", f"{seconds:.1f}", f"{seconds / ideal:.2f}", answered])
    table(
        f"{snapshot.items_count:,} items, {models} models that answer in {delay:g} s",
        ["", "ideal s", "run s", "ratio (<= 1.15)", "results"],
        rows,
    )


def _labels(number: int) -> "list[GoldLabel]":
    from classifier.models import Category, Sentiment
    from review.models import GoldLabel

    category, sentiment = Category.objects.all()[0], Sentiment.objects.all()[0]
    return [
        GoldLabel(text=text, digest=GoldLabel.digest_of(text), category=category, sentiment=sentiment, origin="import")
        for text in messages(number)
    ]


def _time(snapshot: "Snapshot", base_url: str, models: int, in_flight: int) -> tuple[float, int]:
    """Seconds of a run, and how many results it has stored."""
    from classifier.models import ContractVersion, LanguageModel, Provider
    from review.benchmark import execution, runs
    from review.models import Result

    provider = Provider.objects.create(name=f"bench, {in_flight}", base_url=base_url)
    for number in range(models):
        LanguageModel.objects.create(
            provider=provider,
            name=f"model-{number}",
            family=f"family {number}",
            max_in_flight=in_flight,
            json_mode="json_schema",
        )
    version = ContractVersion.objects.current()
    entries = [
        runs.Entry(language_model, version) for language_model in LanguageModel.objects.filter(provider=provider)
    ]
    started = runs.start_run(snapshot, entries)
    begun = time.perf_counter()
    execution.execute_run(started.pk)
    return time.perf_counter() - begun, Result.objects.filter(contender__run=started).count()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--delay", type=float, default=1.0)
    options = parser.parse_args()
    run(options.items, options.models, options.delay)
