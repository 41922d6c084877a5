"""Write and read JSON lines for spaCy's `textcat`: {"text", "cats", "meta"}. Pure.

`cats` scores the right category 1 and all others 0, as the exclusive `textcat` expects ("Training data", `Doc.cats`).
The sentiment is in `meta` with the record's other fields, since it would need a `textcat` of its own.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from classifier.ingest.readers.columns import InvalidRecord
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.formats.labels import json_fields, label_numbers
from review.datasets.record import Manifest, Record


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the file in batches of lines."""
    wrong = dict.fromkeys(label_numbers(manifest, "categories"), 0)

    @cache
    def cats(category: str) -> str:
        return encode_json(wrong | ({category: 1} if category else {}))

    for batch in in_batches(records):
        lines = []
        for record in batch:
            meta = json_fields(record)
            text, category = encode_json(meta.pop("text")), cats(meta.pop("category"))
            lines.append(f'{{"text": {text}, "cats": {category}, "meta": {encode_json(meta)}}}\n')
        yield "".join(lines).encode()


def parse_row(line: dict[str, Any]) -> dict[str, Any]:
    """The text, the right category if there is one, and the fields of `meta`. Raises InvalidRecord for several."""
    right = [name for name, score in line["cats"].items() if isinstance(score, int | float) and score > 0.5]
    if len(right) > 1:
        raise InvalidRecord(f"{len(right)} categories of `cats` are above 0.5: set exactly one to 1.")
    meta = line.get("meta")
    return {**(meta if isinstance(meta, dict) else {}), "text": line.get("text"), "category": right}
