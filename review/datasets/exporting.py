"""A snapshot's records and its manifest, and from there any of the formats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from classifier.masking import mask
from review.models import GoldLabel, Snapshot, SnapshotItem

from .formats import Format
from .record import LabelInfo, Manifest, Record

CHUNK = 5_000

_COLUMNS = (
    "gold__digest",
    "gold__text",
    "category",
    "sentiment",
    "side",
    "origin",
    "corrected",
    "people",
    "share",
    "language",
    "source",
    "labelled_at",
    "said_category",
    "said_sentiment",
    "said_confidence",
)


def stream(snapshot: Snapshot, format: Format, *, masked: bool = False, licence: str = "") -> Iterator[bytes]:
    """The file, in pieces: the same bytes each time."""
    return format.stream(records_of(snapshot, masked=masked), manifest_of(snapshot, masked=masked, licence=licence))


def file_name(snapshot: Snapshot, format: Format) -> str:
    return f"ticketclf-{snapshot.short}{format.suffix}"


def records_of(snapshot: Snapshot, *, masked: bool = False) -> Iterator[Record]:
    """What the snapshot holds, in its order, a chunk at a time. With `masked` personal data is out of the texts."""
    categories, sentiments = snapshot.names("categories"), snapshot.names("sentiments")
    items = SnapshotItem.objects.filter(snapshot=snapshot).order_by("position").values_list(*_COLUMNS)
    for key, text, category, sentiment, *plain, labelled_at, guess, tone, confidence in items.iterator(CHUNK):
        if masked:
            text = mask(text)
            key = GoldLabel.digest_of(text)
        values = (key, text, categories[category], sentiments[sentiment], *plain, _moment(labelled_at))
        # Of a label that has been deleted since the name is not known any more.
        yield Record._make((*values, categories.get(guess, ""), sentiments.get(tone, ""), confidence))


def manifest_of(snapshot: Snapshot, *, masked: bool = False, licence: str = "") -> Manifest:
    categories, sentiments = snapshot.names("categories"), snapshot.names("sentiments")
    return Manifest(
        snapshot=snapshot.digest,
        created_at=_moment(snapshot.created_at),
        records=snapshot.items_count,
        sides=snapshot.counts["side"],
        categories={categories[int(pk)]: number for pk, number in snapshot.counts["category"].items()},
        sentiments={sentiments[int(pk)]: number for pk, number in snapshot.counts["sentiment"].items()},
        taxonomy=(_told(snapshot, "categories"), _told(snapshot, "sentiments")),
        contract=snapshot.contract.digest,
        system_prompt=snapshot.contract.system_prompt,
        filters=snapshot.filters,
        masked=masked,
        licence=licence,
    )


def _told(snapshot: Snapshot, axis: str) -> tuple[LabelInfo, ...]:
    return tuple(LabelInfo(name, description) for _pk, name, description in snapshot.labels[axis])


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
