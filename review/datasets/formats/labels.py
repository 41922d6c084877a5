"""The columns that training tools need beside the record: numbered labels and the split. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from review.datasets.record import Manifest, Record

SPLITS = {"training": "train", "benchmark": "test"}
COLUMNS = (*(name for name in Record._fields if name != "attributes"), "category_id", "sentiment_id", "split")
"""The columns without those of attributes."""
PREFIX = "attribute_"
"""Of an attribute's column or control; the rest is its key."""


def columns(manifest: Manifest) -> tuple[str, ...]:
    """All columns: COLUMNS, then one per attribute."""
    return (*COLUMNS, *(f"{PREFIX}{attribute.key}" for attribute in manifest.attributes))


def label_numbers(manifest: Manifest, axis: str) -> dict[str, int]:
    """Numbers of the "categories" or "sentiments" from 0, as scikit-learn, cleanlab and `datasets.ClassLabel` count.

    The taxonomy's labels come first in its order, then those it no longer has, by name.
    """
    known, counted = (label.name for label in manifest.taxonomy[axis]), sorted(getattr(manifest, axis))
    return {name: number for number, name in enumerate(dict.fromkeys((*known, *counted)))}


def table_rows(records: Iterable[Record], manifest: Manifest) -> Iterator[tuple[object, ...]]:
    """Yield the values of `columns` for each record; the number of an uncounted label and a missing answer are None."""
    categories, sentiments = (label_numbers(manifest, axis) for axis in ("categories", "sentiments"))
    for record in records:
        numbers = categories.get(record.category), sentiments.get(record.sentiment)
        answers = (record.attributes.get(attribute.key) for attribute in manifest.attributes)
        yield (*record[:-1], *numbers, SPLITS[record.side], *answers)


def json_fields(record: Record) -> dict[str, Any]:
    """The record as a JSON object; without attributes if it answers none."""
    values = record._asdict()
    if not record.attributes:
        del values["attributes"]
    return values
