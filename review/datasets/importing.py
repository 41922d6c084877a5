"""Import labels from files as gold labels, skipping known texts and rejecting conflicts and unknown labels."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from classifier.database.batches import chunked
from classifier.ingest.readers.columns import quoted_list
from classifier.models import Category, Sentiment
from classifier.models.taxonomy import SEPARATOR, paths
from classifier.text import LONGEST_TICKET, storable
from review.datasets.record import Record, Rejected
from review.gold import gold_labels
from review.models import GoldLabel

AnyLabel = TypeVar("AnyLabel", Category, Sentiment)

CHUNK = 500
MOST_LISTED = 100
"""Rejected records that are listed; the rest are only counted."""


class UnknownLabel(Exception):
    """A name was mapped to a label that the taxonomy lacks; the message names it and the known labels."""


@dataclass
class ImportReport:
    """The outcome of an import or a dry run."""

    added: int = 0
    known: int = 0
    rejected: int = 0
    rejections: list[Rejected] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    """How many records name each unknown label."""

    @property
    def read(self) -> int:
        return self.added + self.known + self.rejected

    def reject(self, number: int, reason: str) -> None:
        self.rejected += 1
        if len(self.rejections) < MOST_LISTED:
            self.rejections.append(Rejected(number, reason))


def import_labels(
    records: Iterable[Record | Rejected], *, dry_run: bool = False, labels: Mapping[str, str] = {}
) -> ImportReport:
    """Add gold labels for new texts, chunk by chunk; with `dry_run` only report what would be added.

    Known texts keep their label and side. Merged labels count as their successors; `labels` maps other names in the
    file to labels. Raises UnknownLabel, and the errors of reading; earlier chunks stay, so importing the same file
    again adds the rest.
    """
    report, names = ImportReport(), _LabelResolver(labels)
    for chunk in chunked(enumerate(records, start=1), CHUNK):
        fresh: dict[str, _NumberedLabel] = {}
        for number, record in chunk:
            if isinstance(record, Rejected):
                report.reject(*record)
            elif label := names.label_of(number, record, report):
                numbered = _NumberedLabel(number, label, record.side)
                twin = fresh.setdefault(label.digest, numbered)
                if twin is not numbered:
                    _compare_with_known(numbered, twin.label, report)
        _add(fresh, report, dry_run=dry_run)
    return report


class _NumberedLabel(NamedTuple):
    number: int
    label: GoldLabel
    side: str


def _compare_with_known(numbered: _NumberedLabel, twin: GoldLabel, report: ImportReport) -> None:
    """Report a known text: as known if the labels agree, else as rejected."""
    if (twin.category_id, twin.sentiment_id) == (numbered.label.category_id, numbered.label.sentiment_id):
        report.known += 1
    else:
        labels = {"category": twin.category, "sentiment": twin.sentiment}
        report.reject(numbered.number, _("This text already has another label: %(category)s | %(sentiment)s.") % labels)


def _add(fresh: dict[str, _NumberedLabel], report: ImportReport, *, dry_run: bool) -> None:
    for twin in GoldLabel.objects.filter(digest__in=fresh).select_related("category", "sentiment"):
        _compare_with_known(fresh.pop(twin.digest), twin, report)
    report.added += len(fresh)
    if not dry_run:
        stated = {digest: numbered.side for digest, numbered in fresh.items() if numbered.side}
        gold_labels.add_gold_labels([numbered.label for numbered in fresh.values()], stated)


class _LabelResolver:
    """Finds labels by their full names, the names of labels merged into them, and the names mapped by `others`."""

    def __init__(self, others: Mapping[str, str]) -> None:
        categories = {label.pk: label for label in Category.objects.all()}
        sentiments = {label.pk: label for label in Sentiment.objects.all()}
        active = {name: categories[pk] for pk, name in Category.objects.active().paths().items()}
        moods = {label.name: label for label in sentiments.values() if not label.retired}
        followed = _successors(paths(categories.values()), categories)
        self._categories = _children_under_old_names(followed, active) | followed | active
        self._sentiments = _successors({pk: label.name for pk, label in sentiments.items()}, sentiments) | moods
        if missing := sorted(set(others.values()) - self._categories.keys() - self._sentiments.keys()):
            rejections = {"missing": quoted_list(missing), "known": quoted_list([*active, *moods])}
            raise UnknownLabel(_("The taxonomy has no label %(missing)s; known labels: %(known)s.") % rejections)
        self._categories |= {old: self._categories[new] for old, new in others.items() if new in self._categories}
        self._sentiments |= {old: self._sentiments[new] for old, new in others.items() if new in self._sentiments}

    def label_of(self, number: int, record: Record, report: ImportReport) -> GoldLabel | None:
        category, sentiment = self._categories.get(record.category), self._sentiments.get(record.sentiment)
        if category is None or sentiment is None:
            given = {record.category: category, record.sentiment: sentiment}
            unknown = [name for name, label in given.items() if label is None]
            report.unknown.update(unknown)
            report.reject(number, _("The taxonomy has no label %s.") % ", ".join(unknown))
            return None
        if len(record.text) > LONGEST_TICKET:
            report.reject(number, _("The text is longer than %d characters.") % LONGEST_TICKET)
            return None
        text = storable(record.text)
        known_origin = record.origin in GoldLabel.Origin.values
        label = GoldLabel(
            text=text,
            digest=GoldLabel.digest_of(text),
            category=category,
            sentiment=sentiment,
            origin=record.origin if known_origin else GoldLabel.Origin.IMPORT,
            corrected=record.corrected,
            people=record.people,
            share=record.share,
            language=record.language[:20],
            source=record.source[:50],
            labelled_at=_parse_time(record.labelled_at),
        )
        self._set_prediction(label, record)
        return label

    def _set_prediction(self, label: GoldLabel, record: Record) -> None:
        category, sentiment = self._categories.get(record.model_category), self._sentiments.get(record.model_sentiment)
        if category and sentiment and record.model_confidence is not None:
            label.predicted_category, label.predicted_sentiment = category, sentiment
            label.predicted_confidence = record.model_confidence


def _successors(names: Mapping[int, str], labels: Mapping[int, AnyLabel]) -> dict[str, AnyLabel]:
    """By name of every label, the active label that it is or was merged into."""
    successors: dict[str, AnyLabel] = {}
    for pk, name in names.items():
        while into := labels[pk].merged_into_id:
            pk = into
        if not labels[pk].retired:
            successors[name] = labels[pk]
    return successors


def _children_under_old_names(followed: Mapping[str, Category], active: Mapping[str, Category]) -> dict[str, Category]:
    """The descendants of categories, by their full names under the categories' other names."""
    names = {category.pk: name for name, category in active.items()}
    return {
        old + name.removeprefix(names[category.pk]): child
        for old, category in followed.items()
        for name, child in active.items()
        if name.startswith(names[category.pk] + SEPARATOR)
    }


def _parse_time(text: str) -> datetime:
    moment = parse_datetime(text) if text else None
    if moment is None:
        return timezone.now()
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
