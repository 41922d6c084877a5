"""A benchmark run of three models that take a second to answer: its time beside the time that could not be undercut.

In the first row 64 requests are in flight in all, in the second 64 for each model, which one process of Python cannot keep
up with on two cores: a bare loop of the client's library, without anything of ours, stands beside both.
"""

import argparse
import time

from bench.harness import fresh_installation, messages, model_server, table

IN_FLIGHT = 64


def run(items: int, models: int, delay: float) -> None:
    fresh_installation()
    from classifier.models import Category, ContractVersion, ModelSpec, Provider, Sentiment
    from review import benchmark, gold, snapshots
    from review.models import Desk, GoldLabel, Result, Side

    category, sentiment = Category.objects.all()[0], Sentiment.objects.all()[0]
    Desk.objects.update(benchmark_share=1)
    labels = [
        GoldLabel(text=text, digest=GoldLabel.digest_of(text), category=category, sentiment=sentiment, origin="import")
        for text in messages(items)
    ]
    gold.place(labels, {label.digest: Side.BENCHMARK for label in labels})
    snapshot = snapshots.take(snapshots.Filters(origins=("import",)))
    with model_server(delay=delay) as base_url:
        provider = Provider.objects.create(name="bench", base_url=base_url)
        for number in range(models):
            values = {
                "family": f"family {number}",
                "max_in_flight": IN_FLIGHT,
                "timeout": 30,
                "json_mode": "json_schema",
            }
            ModelSpec.objects.create(provider=provider, name=f"model-{number}", **values)
        version = ContractVersion.objects.in_force()
        started = benchmark.start(
            snapshot, [benchmark.Entry(spec, version) for spec in ModelSpec.objects.filter(provider=provider)]
        )
        begun = time.perf_counter()
        benchmark.work_off(started.pk)
        seconds = time.perf_counter() - begun
    started.refresh_from_db()
    # Each model has its own bound on requests in flight, and all are asked beside each other.
    ideal = -(-snapshot.items_count // IN_FLIGHT) * delay
    table(
        f"{snapshot.items_count:,} items, {models} models that answer in {delay:g} s, {IN_FLIGHT} in flight each",
        ["ideal s", "run s", "ratio (<= 1.15)", "state", "results"],
        [[f"{ideal:.1f}", f"{seconds:.1f}", f"{seconds / ideal:.2f}", started.state, Result.objects.count()]],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--delay", type=float, default=1.0)
    options = parser.parse_args()
    run(options.items, options.models, options.delay)
