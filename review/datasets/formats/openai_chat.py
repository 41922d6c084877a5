"""Examples for fine-tuning a chat model: the contract's own conversation, and the answer people gave. Pure.

Each line is {"messages": [system, user, assistant]} and nothing else, for OpenAI refuses keys it does not know
("Fine-tuning", data format). So text, category and sentiment are all that can be read back. A text longer than models
are shown (LONGEST_TEXT) stands here as they are shown it, with its middle left out.

The answer has all four keys of the contract, since a model tuned on fewer would answer with fewer and be refused.
People name no probability: the confidence is always 1.0, and a tuned model's own confidence must be measured before it
is trusted. The reasoning is one fixed sentence, so that nothing is learnt from it.

Examples are for training: what belongs to the benchmark is left out, unless there is nothing else, as in a file that
is meant to validate with.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from classifier.contract.prompt import messages, shorten
from classifier.contract.types import Contract
from classifier.ingest.readers.columns import InvalidRecord
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.record import Manifest, Record

FEWEST_EXAMPLES = 10
"""OpenAI refuses to train on fewer."""
CONFIDENCE = 1.0
REASONING = "People read this ticket and chose these labels."


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a batch of lines at a time."""
    contract = _contract(manifest)
    if manifest.sides.get("training"):
        records = takewhile(lambda record: record.side == "training", records)
    for batch in in_batches(records):
        yield "".join(f"{encode_json(example(record, contract))}\n" for record in batch).encode()


def example(record: Record, contract: Contract) -> dict[str, list[dict[str, str]]]:
    answer = {
        "category": record.category,
        "sentiment": record.sentiment,
        "confidence": CONFIDENCE,
        "reasoning": REASONING,
    }
    asked = messages(contract, shorten(record.text))
    return {"messages": [*asked, {"role": "assistant", "content": encode_json(answer)}]}


def _contract(manifest: Manifest) -> Contract:
    """As much of the contract as its messages need."""
    return Contract(
        categories=(),
        sentiments=(),
        system_prompt=manifest.system_prompt,
        answer_schema={},
        digest=manifest.contract,
    )


def parse_row(line: dict[str, Any]) -> dict[str, Any]:
    """The text that was asked about and the keys of the last answer. Raises Refused for other conversations."""
    spoken = [message for message in line["messages"] if isinstance(message, dict)]
    users = [message.get("content") for message in spoken if message.get("role") == "user"]
    if not users or not isinstance(users[-1], str):
        raise InvalidRecord("The conversation has no user's message that is a string: correct it.")
    if not spoken[-1:] or spoken[-1].get("role") != "assistant":
        raise InvalidRecord("The conversation does not end with an answer of the assistant: add the labels.")
    try:
        answer = json.loads(str(spoken[-1].get("content")))
    except (ValueError, RecursionError):
        answer = None
    if type(answer) is not dict:
        raise InvalidRecord("The last answer is not a JSON object with the labels: correct it.")
    return {**answer, "text": _unquoted(users[-1])}


def _unquoted(content: str) -> str:
    """The ticket's text in the user's message; all of the message where it is worded in another way."""
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
