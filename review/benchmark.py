"""How often is a model right on texts whose labels are known, and how fast does it answer?"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from classifier.contract import Answer, ClassifierError
from classifier.labelling import ask
from classifier.models import Category, ContractVersion, ModelSpec, Sentiment
from classifier.models.taxonomy import SEPARATOR, paths

from .models import BenchmarkItem

BUILT_IN = Path(__file__).parent / "data" / "benchmark.jsonl"


class Item(NamedTuple):
    """A text and the labels it should get, by their full names."""

    text: str
    category: str
    sentiment: str


class Result(NamedTuple):
    """What a model said of one item."""

    item: Item
    answer: Answer | ClassifierError

    @property
    def right(self) -> bool:
        """Whether category and sentiment are both right; an error is wrong, and a child answers for its parent."""
        answer = self.answer
        return (
            isinstance(answer, Answer)
            and f"{answer.category}{SEPARATOR}".startswith(f"{self.item.category}{SEPARATOR}")
            and answer.sentiment == self.item.sentiment
        )


class Summary(NamedTuple):
    """Of one model: share of right answers, mean latency in milliseconds of what was answered, errors."""

    accuracy: float
    latency_ms: float
    errors: int


def load_built_in() -> None:
    """Store the built-in items whose labels the taxonomy has; once each."""
    categories = {name: pk for pk, name in paths(Category.objects.active()).items()}
    sentiments = dict(Sentiment.objects.active().values_list("name", "pk"))
    for line in BUILT_IN.read_text(encoding="utf-8").splitlines():
        item = Item(**json.loads(line))
        if item.category in categories and item.sentiment in sentiments:
            BenchmarkItem.objects.get_or_create(
                digest=BenchmarkItem.digest_of(item.text),
                defaults={
                    "text": item.text,
                    "category_id": categories[item.category],
                    "sentiment_id": sentiments[item.sentiment],
                    "origin": BenchmarkItem.Origin.BUILT_IN,
                },
            )


def stored_items() -> list[Item]:
    """The benchmark set, labels by the names they have today."""
    names = paths(Category.objects.all())
    return [
        Item(item.text, names[item.category_id], item.sentiment.name)
        for item in BenchmarkItem.objects.select_related("sentiment")
    ]


def run(spec: ModelSpec, items: Sequence[Item], version: ContractVersion) -> Iterator[Result]:
    """The model's result for each item, in order, as they come."""
    for item, answer in zip(items, ask([item.text for item in items], spec, version), strict=True):
        yield Result(item, answer)


def summary(results: Iterable[Result]) -> Summary:
    """Raises ValueError without results."""
    results = list(results)
    if not results:
        raise ValueError("There is nothing to sum up.")
    latencies = [result.answer.usage.latency_ms for result in results if isinstance(result.answer, Answer)]
    return Summary(
        accuracy=fmean(result.right for result in results),
        latency_ms=fmean(latencies) if latencies else 0.0,
        errors=len(results) - len(latencies),
    )
