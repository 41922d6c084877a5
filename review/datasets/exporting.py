"""Export a snapshot's records and manifest in any format."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from classifier.models.attributes import StoredAnswers
from classifier.privacy.masking import mask
from classifier.privacy.redaction import ERASED
from review.datasets.formats.registry import Format
from review.datasets.record import AttributeInfo, LabelInfo, Manifest, Record
from review.models import GoldLabel, Side, Snapshot, SnapshotItem

CHUNK = 5_000

_COLUMNS = ("gold__digest", "gold__text", *SnapshotItem.COPIED_FIELDS)
_KINDS = ("category", "sentiment", "side")
_ERASED_PREFIX = "erased:"
"""Prefix of the digest of a gold label whose text was erased or permanently masked."""


class MissingPackage(Exception):
    """A format needs a package that is not installed; the message says how to install it."""


def check_available(format: Format) -> None:
    """Raises MissingPackage."""
    if not format.is_available:
        message = _("%(format)s needs the package %(package)s: run “make data” or “pip install %(package)s”.")
        raise MissingPackage(message % {"format": format.title, "package": format.package})


def stream(snapshot: Snapshot, format: Format, *, masked: bool = False, licence: str = "") -> Iterator[bytes]:
    """Yield the file in pieces: the same bytes each time, until one of its tickets is erased."""
    manifest = build_manifest(snapshot, format, masked=masked, licence=licence)
    return format.stream(snapshot_records(snapshot, masked=masked), manifest)


def file_name(snapshot: Snapshot, format: Format) -> str:
    return f"ticketclf-{snapshot.short}{format.suffix}"


def snapshot_records(snapshot: Snapshot, *, masked: bool = False) -> Iterator[Record]:
    """Yield the snapshot's records in order, without erased ones. `masked` masks personal data in the texts."""
    categories, sentiments = snapshot.names("categories"), snapshot.names("sentiments")
    items = _items(snapshot).order_by("position").values_list(*_COLUMNS)
    typed = _typed_answers(snapshot.attributes, masked=masked)
    for key, text, category, sentiment, *plain, at, guess, tone, confidence, further, answers in items.iterator(CHUNK):
        if key.startswith(_ERASED_PREFIX) and text == ERASED:
            continue
        if masked:
            text = mask(text)
        if masked or key.startswith(_ERASED_PREFIX):
            key = GoldLabel.digest_of(text)
        values = (key, text, categories.get(category, ""), sentiments.get(sentiment, ""), *plain, _utc_iso(at))
        # Without a label, or for one deleted since then, there is no name.
        guessed = (categories.get(guess, ""), sentiments.get(tone, ""), confidence)
        others = "\n".join(categories[pk] for pk in further if pk in categories)
        yield Record._make((*values, *guessed, others, typed(answers)))


def _typed_answers(
    attributes: Sequence[Mapping[str, Any]], *, masked: bool
) -> Callable[[StoredAnswers], dict[str, Any]]:
    """Names stored answers by the snapshot's attributes."""
    names = {pk: name for attribute in attributes for pk, name in attribute["options"]}

    def named(value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return mask(value) if masked else value
        return list(dict.fromkeys(names[pk] for pk in value)) if isinstance(value, list) else names[value]

    return lambda answers: {
        attribute["key"]: named(answers[str(attribute["pk"])])
        for attribute in attributes
        if str(attribute["pk"]) in answers
    }


def build_manifest(
    snapshot: Snapshot, format: Format | None = None, *, masked: bool = False, licence: str = ""
) -> Manifest:
    """Describe the content of a file in this format, or of the snapshot without one."""
    categories, sentiments = snapshot.names("categories"), snapshot.names("sentiments")
    erased = _count_by_kind(_erased_items(snapshot))
    counts = {kind: _subtract(snapshot.counts[kind], erased[kind]) for kind in _KINDS}
    if format and format.for_training:
        left = _items(snapshot).exclude(pk__in=_erased_items(snapshot).values("pk"))
        left = left.filter(category__isnull=False, sentiment__isnull=False)
        training = left.filter(side=Side.TRAINING)
        counts = _count_by_kind(training if training.exists() else left)
    return Manifest(
        snapshot=snapshot.digest,
        created_at=_utc_iso(snapshot.created_at),
        records=sum(counts["side"].values()),
        sides=counts["side"],
        categories={categories[int(pk)]: number for pk, number in counts["category"].items()},
        sentiments={sentiments[int(pk)]: number for pk, number in counts["sentiment"].items()},
        taxonomy={axis: _label_infos(snapshot, axis) for axis in ("categories", "sentiments")},
        contract=snapshot.contract.digest,
        system_prompt=snapshot.contract.system_prompt,
        attributes=_attribute_infos(snapshot),
        filters=snapshot.filters,
        erased=sum(erased["side"].values()),
        masked=masked,
        licence=licence,
    )


def _items(snapshot: Snapshot) -> QuerySet[SnapshotItem]:
    return SnapshotItem.objects.filter(snapshot=snapshot)


def _erased_items(snapshot: Snapshot) -> QuerySet[SnapshotItem]:
    """Items whose texts were erased, not only masked."""
    # A range that every collation and index supports: all other digests are hexadecimal.
    wiped = GoldLabel.objects.filter(digest__gt="er", digest__lt="es", text=ERASED)
    return _items(snapshot).filter(gold__in=wiped)


def _count_by_kind(items: QuerySet[SnapshotItem]) -> dict[str, dict[str, int]]:
    """How many items have each value, by kind (one query)."""
    counts = {kind: Counter[str]() for kind in _KINDS}
    for *values, number in items.order_by(*_KINDS).values_list(*_KINDS).annotate(Count("pk")):
        for kind, value in zip(_KINDS, values, strict=True):
            if value is not None:
                counts[kind][str(value)] += number
    return {kind: dict(of_kind) for kind, of_kind in counts.items()}


def _subtract(counts: Mapping[str, int], gone: Mapping[str, int]) -> dict[str, int]:
    return {value: left for value, number in counts.items() if (left := number - gone.get(value, 0))}


def _attribute_infos(snapshot: Snapshot) -> tuple[AttributeInfo, ...]:
    asked = {attribute["key"] for attribute in snapshot.contract.options.get("attributes", [])}
    names = ("key", "name", "kind", "description", "pattern")
    return tuple(
        AttributeInfo(
            **{name: attribute[name] for name in names},
            options=tuple(dict.fromkeys(name for _pk, name in attribute["options"])),
            asked=attribute["key"] in asked,
        )
        for attribute in snapshot.attributes
    )


def _label_infos(snapshot: Snapshot, axis: str) -> tuple[LabelInfo, ...]:
    return tuple(LabelInfo(name, description) for _pk, name, description in snapshot.labels[axis])


def _utc_iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
