"""Time and query count of the pages of a benchmark run with many models and items.

The rows are written at once, as if the models had answered; the product itself aggregates them.
"""

import argparse
import random
import time
from statistics import median
from typing import Any

from bench.harness import fresh_installation, messages, table

LIMIT = 300
VISITS = 20


def fill(models: int, items: int, *, more_categories: int = 0, seed: int = 1) -> int:
    """Create a finished run of these models and items, and an earlier one for comparison; return its primary key."""
    from classifier.models import Category, ContractVersion, Sentiment
    from review.benchmark import baseline, execution
    from review.benchmark import runs as benchmark_module
    from review.gold import snapshots
    from review.models import Contender, DuplicateGroup, GoldLabel, Side

    chance = random.Random(seed)  # noqa: S311 - rows that repeat
    Category.objects.bulk_create(Category(name=f"Category {number}") for number in range(more_categories))
    categories = [category for category in Category.objects.active() if not category.children.exists()]
    sentiments = list(Sentiment.objects.active())
    group = DuplicateGroup.objects.create(side=Side.BENCHMARK)
    GoldLabel.objects.bulk_create(
        GoldLabel(
            text=text,
            digest=GoldLabel.digest_of(text),
            category=chance.choice(categories),
            sentiment=chance.choice(sentiments),
            origin=GoldLabel.Origin.IMPORT,
            group=group,
        )
        for text in messages(items)
    )
    snapshot = snapshots.create_snapshot({"side": Side.BENCHMARK, "origin": [GoldLabel.Origin.IMPORT]})
    version = ContractVersion.objects.current()
    language_models = _language_models(models)
    runs = [
        benchmark_module.start_run(
            snapshot, [benchmark_module.Entry(language_model, version) for language_model in some]
        )
        for some in (language_models[:1], language_models)
    ]
    for run in runs:
        for number, contender in enumerate(run.contenders.all()):
            _answer(contender, chance, 0.72 + 0.02 * number, [category.pk for category in categories], sentiments)
        execution.execute_run(run.pk)
    baseline.pin(Contender.objects.get(run=runs[0]))
    return runs[1].pk


def _language_models(number: int) -> list[Any]:
    from classifier.models import LanguageModel, Provider

    provider, _created = Provider.objects.get_or_create(name="bench", defaults={"base_url": "http://127.0.0.1:9/v1"})
    return [
        LanguageModel.objects.create(provider=provider, name=f"model-{chr(97 + index)}", family=f"bench {index}")
        for index in range(number)
    ]


def _answer(
    contender: Any, chance: random.Random, ability: float, categories: list[int], sentiments: list[Any]
) -> None:
    from review.benchmark import runs as benchmark_module
    from review.models import Result

    names = {axis: contender.run.snapshot.names(axis) for axis in ("categories", "sentiments")}
    results = []
    for item in benchmark_module.benchmark_items(contender.run.snapshot):
        result = Result(contender=contender, item=item, latency_ms=chance.lognormvariate(6.5, 0.5), cost=0.0004)
        if chance.random() < 0.01:
            result.failure, result.detail = chance.choice(["timeout", "broken_json"]), "It did not answer in time."
            result.category_right = result.sentiment_right = False
        else:
            confidence = chance.betavariate(6, 1.5)
            sure = ability + 0.3 * (confidence - 0.8)
            result.category = item.category if chance.random() < sure else chance.choice(categories)
            result.sentiment = item.sentiment if chance.random() < sure + 0.1 else chance.choice(sentiments).pk
            result.category_right = result.category == item.category
            result.sentiment_right = result.sentiment == item.sentiment
            result.confidence, result.reasoning = confidence, "It says what is broken, and since when."
            result.answer = f"{names['categories'][result.category]} | {names['sentiments'][result.sentiment]}"
        results.append(result)
    Result.objects.bulk_create(results, batch_size=1_000)


def measure(run: int) -> list[list[object]]:
    """A row for each page: median milliseconds beside the limit, queries, kilobytes."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse

    from review.models import Contender

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench"))
    last = Contender.objects.filter(run=run).latest("pk").pk
    pages = {
        "run": reverse("review:benchmark_run", args=[run]),
        "contender": reverse("review:contender", args=[run, last]),
        "threshold moved": reverse("review:contender", args=[run, last]) + "?threshold=0.7",
        "wrong answers": reverse("review:answers", args=[run, last]) + "?show=wrong",
        "broken since": reverse("review:answers", args=[run, last]) + "?change=broken",
        "all runs": reverse("review:benchmark"),
    }
    rows: list[list[object]] = []
    for name, url in pages.items():
        headers = {"hx-request": "true"} if name == "threshold moved" else {}
        client.get(url, headers=headers)
        milliseconds = []
        for _visit in range(VISITS):
            begun = time.perf_counter()
            response = client.get(url, headers=headers)
            milliseconds.append((time.perf_counter() - begun) * 1000)
            assert response.status_code == 200, (name, response.status_code)
        with CaptureQueriesContext(connection) as queries:
            client.get(url, headers=headers)
        rows.append([name, f"{median(milliseconds):.0f}", LIMIT, len(queries), len(response.content) // 1000])
    return rows


def run(models: int, items: int, more_categories: int) -> None:
    fresh_installation()
    begun = time.perf_counter()
    pk = fill(models, items, more_categories=more_categories)
    print(f"Written and summed up in {time.perf_counter() - begun:.0f} s.")
    table(
        f"Pages of a run of {models} models on {items:,} items, median of {VISITS}",
        ["page", "milliseconds", "limit", "queries", "kB"],
        measure(pk),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--more-categories", type=int, default=0)
    options = parser.parse_args()
    run(options.models, options.items, options.more_categories)
