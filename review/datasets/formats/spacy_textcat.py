"""JSON lines for spaCy's `textcat`: {"text", "cats", "meta"}. Pure.

`cats` has every category with 1 for the right one and 0 for the rest, which is what the exclusive `textcat` trains on
("Training data", `Doc.cats`). Its scores must belong to one question, so the sentiment is not among them: it stands in
`meta` with the record's other fields, as a second `textcat` would want its own `cats`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from classifier.ingest.readers.columns import InvalidRecord
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.formats.labels import category_names
from review.datasets.record import Manifest, Record


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """The file, a batch of lines at a time."""
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
    """The text, the one category that is right, and what `meta` says. Raises Refused for none or several."""
    right = [name for name, score in line["cats"].items() if isinstance(score, int | float) and score > 0.5]
    if len(right) != 1:
        raise InvalidRecord(f"{len(right) or 'No'} categories of `cats` are above 0.5: give just one of them 1.")
    meta = line.get("meta")
    return {**(meta if isinstance(meta, dict) else {}), "text": line.get("text"), "category": right[0]}
