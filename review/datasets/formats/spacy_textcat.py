"""Write and read JSON lines for spaCy's `textcat`: {"text", "cats", "meta"}. Pure.

`cats` scores the right category 1 and all others 0, as the exclusive `textcat` expects ("Training data", `Doc.cats`).
The sentiment is in `meta` with the record's other fields, since it would need a `textcat` of its own.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from classifier.ingest.readers.columns import InvalidRecord
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.formats.labels import category_names
from review.datasets.record import Manifest, Record


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the file in batches of lines."""
    names = category_names(manifest)
    written: dict[str, str] = {}
    for batch in in_batches(records):
        lines = []
        for record in batch:
            cats = written.get(record.category) or written.setdefault(record.category, _cats(record.category, names))
            meta = record._asdict()
            del meta["text"], meta["category"]
            lines.append(f'{{"text": {encode_json(record.text)}, "cats": {cats}, "meta": {encode_json(meta)}}}\n')
        yield "".join(lines).encode()


def _cats(category: str, names: Iterable[str]) -> str:
    return encode_json({**dict.fromkeys(names, 0), category: 1})


def parse_row(line: dict[str, Any]) -> dict[str, Any]:
    """The text, the right category, and the fields of `meta`. Raises InvalidRecord for no or several categories."""
    right = [name for name, score in line["cats"].items() if isinstance(score, int | float) and score > 0.5]
    if len(right) != 1:
        raise InvalidRecord(f"{len(right) or 'No'} categories of `cats` are above 0.5: set exactly one to 1.")
    meta = line.get("meta")
    return {**(meta if isinstance(meta, dict) else {}), "text": line.get("text"), "category": right[0]}
