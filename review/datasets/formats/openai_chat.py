"""Write and read examples for fine-tuning chat models: the contract's messages and the people's answer. Pure.

Each line is {"messages": [system, user, assistant]} and nothing else, since OpenAI rejects unknown keys ("Fine-tuning",
data format). So only text, category and sentiment can be read back, and long texts are shortened as in prompts.

The answer has all keys of the contract, since a model tuned on fewer would give invalid answers. People give no
confidence, so it is always 1.0; measure a tuned model's confidence before trusting it. The reasoning is a fixed
sentence, so that the model learns nothing from it.

Records without a category or a sentiment are left out, and so are those of the benchmark, unless there are no others,
as in a validation file.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from classifier.contract import further_categories
from classifier.contract.attributes import KEY
from classifier.contract.prompt import messages, shorten
from classifier.contract.types import Contract
from classifier.ingest.readers.columns import InvalidRecord
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.record import AttributeInfo, Manifest, Record

FEWEST_EXAMPLES = 10
"""OpenAI rejects smaller training files."""
CONFIDENCE = 1.0
REASONING = "People read this ticket and chose these labels."


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the file in batches of lines."""
    contract = _contract(manifest)
    records = (record for record in records if record.category and record.sentiment)
    if manifest.sides.get("training"):
        records = takewhile(lambda record: record.side == "training", records)
    for batch in in_batches(records):
        yield "".join(f"{encode_json(example(record, contract, manifest.attributes))}\n" for record in batch).encode()


def example(
    record: Record, contract: Contract, attributes: Iterable[AttributeInfo] = ()
) -> dict[str, list[dict[str, str]]]:
    answer: dict[str, Any] = {
        "category": record.category,
        "sentiment": record.sentiment,
        "confidence": CONFIDENCE,
        "reasoning": REASONING,
    }
    if contract.further_categories:
        answer[further_categories.KEY] = record.further_categories.splitlines()
    if asked_for := [attribute for attribute in attributes if attribute.asked]:
        answer[KEY] = {
            attribute.key: record.attributes.get(attribute.key, [] if attribute.kind == "several_of" else None)
            for attribute in asked_for
        }
    asked = messages(contract, shorten(record.text))
    return {"messages": [*asked, {"role": "assistant", "content": encode_json(answer)}]}


def _contract(manifest: Manifest) -> Contract:
    """The parts of the contract that its messages need."""
    return Contract(
        categories=(),
        sentiments=(),
        system_prompt=manifest.system_prompt,
        answer_schema={},
        digest=manifest.contract,
        further_categories=further_categories.REQUEST in manifest.system_prompt,
    )


def parse_row(line: dict[str, Any]) -> dict[str, Any]:
    """The text of the last question and the keys of the last answer. Raises InvalidRecord for other conversations."""
    spoken = [message for message in line["messages"] if isinstance(message, dict)]
    users = [message.get("content") for message in spoken if message.get("role") == "user"]
    if not users or not isinstance(users[-1], str):
        raise InvalidRecord("The conversation has no user message that is a string: correct it.")
    if not spoken[-1:] or spoken[-1].get("role") != "assistant":
        raise InvalidRecord("The conversation does not end with an assistant message: add the labels.")
    try:
        answer = json.loads(str(spoken[-1].get("content")))
    except (ValueError, RecursionError):
        answer = None
    if type(answer) is not dict:
        raise InvalidRecord("The last answer is not a JSON object with the labels: correct it.")
    return {**answer, "text": _unquoted(users[-1])}


def _unquoted(content: str) -> str:
    """The ticket's text in the user message; the whole message if it is worded differently."""
    opening = messages(_NOTHING, "")[-1]["content"].removesuffix('""')
    if content.startswith(opening):
        try:
            text = json.loads(content.removeprefix(opening))
        except (ValueError, RecursionError):
            return content
        if isinstance(text, str):
            return text
    return content


_NOTHING = Contract(categories=(), sentiments=(), system_prompt="", answer_schema={}, digest="")
