"""The columns that training tools need beside the record: numbered labels and the split. Pure."""

from collections.abc import Iterable, Iterator

from review.datasets.record import Manifest, Record

SPLITS = {"training": "train", "benchmark": "test"}
COLUMNS = (*Record._fields, "category_id", "sentiment_id", "split")


def label_numbers(manifest: Manifest, axis: str) -> dict[str, int]:
    """Numbers of the "categories" or "sentiments" from 0, as scikit-learn, cleanlab and `datasets.ClassLabel` count.

    The taxonomy's labels come first in its order, then those it no longer has, by name.
    """
    known, counted = (label.name for label in manifest.taxonomy[axis]), sorted(getattr(manifest, axis))
    return {name: number for number, name in enumerate(dict.fromkeys((*known, *counted)))}


def table_rows(records: Iterable[Record], manifest: Manifest) -> Iterator[tuple[object, ...]]:
    """Yield the values of COLUMNS for each record; the number of an uncounted label is None."""
    categories, sentiments = (label_numbers(manifest, axis) for axis in ("categories", "sentiments"))
    for record in records:
        numbers = categories.get(record.category), sentiments.get(record.sentiment)
        yield (*record, *numbers, SPLITS[record.side])
