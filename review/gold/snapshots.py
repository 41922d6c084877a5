"""Creates snapshots of gold labels, for benchmarks and data sets."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Case, IntegerField, Value, When
from django.utils import timezone

from classifier.database.batches import chunked
from classifier.models import Attribute, AttributeOption, Category, ContractVersion, Sentiment
from review.gold import gold_labels
from review.models import GoldLabel, Side, Snapshot, SnapshotItem
from review.models.gold import GoldLabelQuerySet

CHUNK = 100
"""Items per transaction."""
MOST_TRIES = 3
ABANDONED = timedelta(hours=1)
"""Age of an incomplete snapshot that nobody is writing any more."""
FEWEST_CHARACTERS = 12
"""Characters of the digest that identify a snapshot in a URL."""


class EmptySnapshot(Exception):
    """No gold label matches the filters."""


LOOKUPS = {
    "side": "group__side",
    "corrected": "corrected",
    "since": "labelled_at__date__gte",
    "until": "labelled_at__date__lte",
    "category": "category__in",
    "sentiment": "sentiment__in",
    "origin": "origin__in",
    "people": "people__gte",
    "source": "source__in",
    "language": "language__in",
}
"""What can narrow a snapshot. Labels are given by key; a category includes its descendants."""

Filters = Mapping[str, Any]
"""Values by the names of LOOKUPS, those of `__in` as lists; one that is false does not filter."""


def _matching(filters: Filters) -> GoldLabelQuerySet:
    conditions = {LOOKUPS[name]: value for name, value in filters.items() if value}
    if "category__in" in conditions:
        conditions["category__in"] = _with_descendants(conditions["category__in"])
    return GoldLabel.objects.usable().filter(**conditions)


def _described(filters: Filters) -> dict[str, str]:
    """The filters for the manifest, independent of the order of values."""
    return {
        name: ", ".join(sorted(map(str, value))) if isinstance(value, list) else str(value)
        for name, value in filters.items()
        if value
    }


def _with_descendants(categories: Sequence[int]) -> set[int]:
    with_descendants, parents = set(categories), dict(Category.objects.values_list("pk", "parent"))
    while more := {pk for pk, parent in parents.items() if parent in with_descendants} - with_descendants:
        with_descendants |= more
    return with_descendants


def find_snapshot(digest_prefix: str) -> Snapshot:
    """The snapshot whose digest has this prefix.

    Raises Snapshot.DoesNotExist, also if the prefix is ambiguous or shorter than FEWEST_CHARACTERS.
    """
    matches = Snapshot.objects.select_related("created_by", "contract").filter(digest__startswith=digest_prefix)[:2]
    if len(digest_prefix) < FEWEST_CHARACTERS or len(matches) != 1:
        raise Snapshot.DoesNotExist
    return matches[0]


def create_snapshot(filters: Mapping[str, Any] = {}, *, by: User | None = None) -> Snapshot:
    """Create a snapshot of the usable gold labels that match the filters, up to the latest decision.

    The same content, contract and filters give the same snapshot. Items are written a few at a time, since others wait
    for a long transaction; until the last one the snapshot is incomplete. Raises EmptySnapshot, EmptyTaxonomy.
    """
    gold_labels.collect_from_decisions()
    for abandoned in Snapshot.incomplete.filter(created_at__lt=timezone.now() - ABANDONED):
        _delete(abandoned)
    for _try in range(MOST_TRIES - 1):
        # A label changed meanwhile, or someone created the same snapshot.
        with suppress(_Changed, IntegrityError):
            return _create(filters, by)
    return _create(filters, by)


def delete_snapshot(snapshot: Snapshot) -> bool:
    """Delete a snapshot that no run refers to. Returns whether there was none."""
    with transaction.atomic():
        unused = Snapshot.objects.select_for_update(of=("self",)).filter(pk=snapshot.pk, runs=None)
        if not Snapshot.objects.filter(pk__in=list(unused.values_list("pk", flat=True))).update(complete=False):
            return False
    _delete(snapshot)
    return True


def _delete(snapshot: Snapshot) -> None:
    for pks in chunked(list(snapshot.items.order_by().values_list("pk", flat=True)), CHUNK):
        SnapshotItem.objects.filter(pk__in=pks).delete()
    Snapshot.incomplete.filter(pk=snapshot.pk).delete()


class _Changed(Exception):
    """A label changed while the snapshot was written."""


def _create(filters: Filters, by: User | None) -> Snapshot:
    """Raises _Changed, or IntegrityError if the same snapshot is created at the same moment."""
    contract = ContractVersion.objects.current()
    names: dict[str, Any] = {
        "categories": _named_labels(Category.objects.all(), Category.objects.paths()),
        "sentiments": _named_labels(Sentiment.objects.all(), dict(Sentiment.objects.values_list("pk", "name"))),
    }
    if attributes := _described_attributes():
        names["attributes"] = attributes
    opening = _content_hash(names, contract, filters)
    digest, counts = _content(filters, opening.copy())
    if known := Snapshot.objects.filter(digest=digest).first():
        return known
    snapshot = Snapshot.objects.create(
        digest=f"incomplete {uuid4().hex}",
        complete=False,
        created_by=by,
        contract=contract,
        filters=_described(filters),
        labels=names,
        counts=counts,
        items_count=sum(counts["side"].values()),
    )
    try:
        _complete(snapshot, digest, _store_items(snapshot, filters, opening))
    except (_Changed, IntegrityError):
        _delete(snapshot)
        raise
    return snapshot


def _complete(snapshot: Snapshot, digest: str, stored: str) -> None:
    if stored != digest:
        raise _Changed
    snapshot.digest, snapshot.complete = digest, True
    with transaction.atomic():
        snapshot.save(update_fields=["digest", "complete"])


_ITEM_FIELDS = ("gold_id", *SnapshotItem.COPIED_FIELDS)

_COLUMNS = {
    "category": "category_id",
    "sentiment": "sentiment_id",
    "side": "group__side",
    "predicted_category": "predicted_category_id",
    "predicted_sentiment": "predicted_sentiment_id",
}


def _chunks(filters: Filters) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of `_ITEM_FIELDS` and the text's digest, training side first, in an order that depends on content only."""
    columns = ("pk", *(_COLUMNS.get(name, name) for name in _ITEM_FIELDS[1:]), "digest")
    training_first = Case(When(group__side=Side.TRAINING, then=Value(0)), default=Value(1), output_field=IntegerField())
    # Keys first, since SQLite cannot write while it is in the middle of reading.
    pks = list(_matching(filters).order_by(training_first, "digest").values_list("pk", flat=True))
    for some in chunked(pks, CHUNK):
        rows = {row[0]: row for row in GoldLabel.objects.filter(pk__in=some).values_list(*columns)}
        yield [rows[pk] for pk in some if pk in rows]


def _named_labels(labels: Any, names: dict[int, str]) -> list[list[Any]]:
    descriptions = dict(labels.values_list("pk", "description"))
    return [[pk, name, descriptions[pk]] for pk, name in names.items()]


def _described_attributes() -> list[dict[str, Any]]:
    """All attributes that were ever made, with the current name of each option, also of merged and retired ones."""
    options: dict[int, list[list[Any]]] = {}
    for option in AttributeOption.objects.select_related("merged_into"):
        options.setdefault(option.attribute_id, []).append([option.pk, (option.merged_into or option).name])
    fields = ("key", "name", "description", "kind", "pattern")
    return [
        {"pk": attribute.pk, "options": options.get(attribute.pk, [])}
        | {name: getattr(attribute, name) for name in fields}
        for attribute in Attribute.objects.all()
    ]


def _content(filters: Filters, content: "hashlib._Hash") -> tuple[str, dict[str, Any]]:
    """The SHA-256 of the content, and counts by category, sentiment, side and origin. Raises EmptySnapshot."""
    counts = Counter[tuple[str, Any]]()
    for _gold, *values in chain.from_iterable(_chunks(filters)):
        content.update(_bytes(values))
        counts.update((("category", values[0]), ("sentiment", values[1]), ("side", values[2]), ("origin", values[3])))
    if not counts:
        raise EmptySnapshot
    of_kind: dict[str, dict[str, int]] = {kind: {} for kind in ("category", "sentiment", "side", "origin")}
    for (kind, value), number in sorted(counts.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        if value is not None:
            of_kind[kind][str(value)] = number
    return content.hexdigest(), of_kind


def _content_hash(names: dict[str, Any], contract: ContractVersion, filters: Filters) -> "hashlib._Hash":
    """A hash of labels, contract and filters, so that snapshots with different manifests have different digests."""
    manifest = names | {"contract": contract.digest, "filters": _described(filters)}
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode())


def _bytes(values: Sequence[Any]) -> bytes:
    """What the digest is made of; labels without further categories or attributes have the digest that they had before
    those.
    """
    *copied, further, attributes, text_digest = values
    return json.dumps([*copied, *filter(None, (further, attributes)), text_digest], default=str).encode()


def _store_items(snapshot: Snapshot, filters: Filters, content: "hashlib._Hash") -> str:
    """Store the items and return the SHA-256 of what was stored."""
    position = 0
    for rows in _chunks(filters):
        items = [
            SnapshotItem(snapshot=snapshot, position=position + number, **dict(zip(_ITEM_FIELDS, row, strict=False)))
            for number, row in enumerate(rows, start=1)
        ]
        SnapshotItem.objects.bulk_create(items)
        position += len(items)
        for _gold, *values in rows:
            content.update(_bytes(list(values)))
    return content.hexdigest()
