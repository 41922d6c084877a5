"""Benchmark models on a labelled file, without storing anything."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from classifier.contract.types import Answer, ClassifierError
from classifier.inference import budget, few_shot
from classifier.inference.ask_models import ask_all
from classifier.ingest.readers import formats, ticket_records
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.models import ContractVersion
from review.benchmark.grading import Grader
from review.benchmark.metrics import GradedItem
from review.benchmark.population import ItemSource
from review.benchmark.runs import Entry
from review.models import GoldLabel


class Item(NamedTuple):
    """A text and the full names of its expected labels."""

    text: str
    category: str
    sentiment: str


class UnusableFile(Exception):
    """The file cannot be read or names an unknown label; the message says where."""


OnItem = Callable[[Item, GradedItem, str], None]
"""Called with an item, its grading, and the answer as text."""


def read(file: Any, version: ContractVersion) -> list[Item]:
    """Read the items of an open file. Raises UnusableFile."""
    try:
        format = formats.sniff_format(file.name, file.peek(4096)[:4096])
        records = list(ticket_records.TicketReader(file, format=format))
    except UnreadableFile as error:
        raise UnusableFile(f"{file.name}: {error}") from error
    if not records:
        raise UnusableFile("This file has no items to compare models on.")
    return [_item(file.name, record, version) for record in records]


def _item(
    name: str, record: ticket_records.TicketRecord | ticket_records.RejectedRecord, version: ContractVersion
) -> Item:
    if isinstance(record, ticket_records.RejectedRecord):
        raise UnusableFile(f"{name}, record {record.number}: {record.reason}")
    category, sentiment = record.values.get("category"), record.values.get("sentiment")
    for value, known in ((category, version.labels.categories), (sentiment, version.labels.sentiments)):
        if value not in known:
            raise UnusableFile(f"{name}, record {record.number}: unknown label {value!r}; known: {', '.join(known)}.")
    return Item(record.values["text"] or "", category or "", sentiment or "")


def estimate_cost(entry: Entry, items: Sequence[Item]) -> Decimal:
    """Estimate the cost from the lengths of the texts, with one request per item."""
    prompt = len(entry.contract.system_prompt) + few_shot.prompt_length(entry.shown)
    return budget.expected_cost(entry.language_model, prompt, [item.text for item in items])


def grade_items(entry: Entry, items: Sequence[Item], on_result: OnItem) -> list[GradedItem]:
    """Ask the model and grade its answers, in the order of the items; `on_result` is called for each as it comes."""
    grader, results = Grader(), dict[int, GradedItem]()
    for group in ask_all([item.text for item in items], entry.language_model, entry.contract, examples=entry.shown):
        for place, answer in group:
            source = ItemSource(GoldLabel.Origin.IMPORT, 1.0, place)
            results[place] = _graded(entry, items[place], answer, grader, source)
            on_result(items[place], results[place], _answer_text(answer))
    return [results[place] for place in range(len(items))]


def _answer_text(answer: Answer | ClassifierError) -> str:
    if isinstance(answer, ClassifierError):
        return f"ERROR {answer.kind}: {answer}"
    return f"{answer.category} | {answer.sentiment}"


def _graded(
    entry: Entry, item: Item, answer: Answer | ClassifierError, grader: Grader, source: ItemSource
) -> GradedItem:
    labels = entry.contract.labels
    category, sentiment = labels.categories[item.category], labels.sentiments[item.sentiment]
    given = answer if isinstance(answer, Answer) else None
    return GradedItem(
        category=category,
        sentiment=sentiment,
        predicted_category=labels.categories[given.category] if given else None,
        predicted_sentiment=labels.sentiments[given.sentiment] if given else None,
        category_right=bool(given and grader.category(given.category, category, labels)),
        sentiment_right=bool(given and grader.sentiment(given.sentiment, sentiment, labels)),
        confidence=given.confidence if given else None,
        failure=answer.kind if isinstance(answer, ClassifierError) else "",
        latency_ms=answer.usage.latency_ms,
        cost=float(entry.language_model.cost(answer.usage)),
        source=source,
    )
