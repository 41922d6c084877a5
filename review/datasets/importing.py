"""Import labels from files as gold labels, skipping known texts and rejecting conflicts and unknown labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.contract.attributes import accepted_answers
from classifier.contract.further_categories import MOST
from classifier.contract.types import SEPARATOR
from classifier.database.batches import chunked
from classifier.ingest.readers.columns import quoted_list
from classifier.models import Category, Sentiment, asked_attributes
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
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many records name each unknown label, by its axis and name."""
    refused_answers: Counter[str] = field(default_factory=Counter)
    """How many answers to attributes were left out, by the attribute's key."""

    @property
    def read(self) -> int:
        return self.added + self.known + self.rejected

    def as_json(self) -> dict[str, Any]:
        """The report with the most frequent unknown labels, to be stored."""
        counts = {name: getattr(self, name) for name in ("read", "added", "known", "rejected")}
        unknown = [[*label, number] for label, number in self.unknown.most_common(MOST_LISTED)]
        refused = dict(self.refused_answers.most_common(MOST_LISTED))
        return counts | {"rejections": self.rejections, "unknown": unknown, "refused_answers": refused}

    def reject(self, number: int, reason: str) -> None:
        self.rejected += 1
        if len(self.rejections) < MOST_LISTED:
            self.rejections.append(Rejected(number, reason))


def import_labels(
    records: Iterable[Record | Rejected],
    *,
    dry_run: bool = False,
    labels: Mapping[str, str] = {},
    on_chunk: Callable[["ImportReport"], None] = lambda report: None,
) -> ImportReport:
    """Add gold labels for new texts, chunk by chunk; with `dry_run` only report what would be added.

    Known texts keep their label and side. Merged labels count as their successors; `labels` maps other names in the
    file to labels. `on_chunk` gets the report so far. Raises UnknownLabel, and the errors of reading; earlier chunks
    stay, so importing the same file again adds the rest.
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
        on_chunk(report)
    return report


class _NumberedLabel(NamedTuple):
    number: int
    label: GoldLabel
    side: str


def _compare_with_known(numbered: _NumberedLabel, twin: GoldLabel, report: ImportReport) -> None:
    """Report a known text: as known if the labels agree, else as rejected."""
    if twin.contradicts(numbered.label):
        report.reject(numbered.number, _("This text already has another label: %s.") % twin.label)
    else:
        report.known += 1


def _add(fresh: dict[str, _NumberedLabel], report: ImportReport, *, dry_run: bool) -> None:
    for twin in GoldLabel.objects.filter(digest__in=fresh).select_related("category", "sentiment"):
        numbered = fresh.pop(twin.digest)
        _compare_with_known(numbered, twin, report)
        if not dry_run and not twin.contradicts(numbered.label):
            gold_labels.complete_label(twin, numbered.label)
    report.added += len(fresh)
    if not dry_run:
        sides = {digest: numbered.side for digest, numbered in fresh.items() if numbered.side}
        taken = gold_labels.add_gold_labels([numbered.label for numbered in fresh.values()], sides)
        if taken:  # others stored these texts meanwhile
            report.added -= len(taken)
            _add({label.digest: fresh[label.digest] for label in taken}, report, dry_run=dry_run)


class _LabelNames(Generic[AnyLabel]):
    """Finds the active label of a full name in any case, or of one that it, or a parent, had before a merge."""

    def __init__(self, labels: QuerySet[AnyLabel]) -> None:
        self._labels: dict[int, Any] = {label.pk: label for label in labels}
        self._places: dict[tuple[int | None, str], Any] = {}
        for spelling in (str.casefold, str):  # where names differ only in case, the exact one counts
            for label in sorted(labels, key=lambda label: not label.retired):
                parent = self._labels.get(getattr(label, "parent_id", None) or 0)
                self._places[parent.pk if parent else None, spelling(label.name)] = label
                if parent and parent.retired:
                    self._places.setdefault((None, spelling(label.name)), label)

    def find(self, name: str) -> AnyLabel | None:
        found: Any = None
        for part in map(str.strip, name.split(SEPARATOR.strip())):
            above = found.pk if found else None
            found = self._places.get((above, part)) or self._places.get((above, part.casefold()))
            while found and found.merged_into_id:
                found = self._labels[found.merged_into_id]
            if not found:
                return None
        return None if found and found.retired else found


class _LabelResolver:
    """Turns records into gold labels; `others` maps other names in the file to labels."""

    def __init__(self, others: Mapping[str, str]) -> None:
        categories = _LabelNames[Category](Category.objects.all())
        sentiments = _LabelNames[Sentiment](Sentiment.objects.all())
        self._category = cache(lambda name: categories.find(others.get(name, name)))
        self._sentiment = cache(lambda name: sentiments.find(others.get(name, name)))
        self._asked = asked_attributes.terms(asked_attributes.current(Category.objects.active().paths()))
        missing = [new for new in others.values() if not (categories.find(new) or sentiments.find(new))]
        if missing:
            known = [*Category.objects.active().paths().values(), *map(str, Sentiment.objects.active())]
            names = {"missing": quoted_list(missing), "known": quoted_list(known)}
            raise UnknownLabel(_("The taxonomy has no label %(missing)s; known labels: %(known)s.") % names)

    def label_of(self, number: int, record: Record, report: ImportReport) -> GoldLabel | None:
        category = self._category(record.category) if record.category else None
        sentiment = self._sentiment(record.sentiment) if record.sentiment else None
        further = {name: self._category(name) for name in record.further_categories.splitlines() if name}
        given = {("category", record.category): category, ("sentiment", record.sentiment): sentiment}
        given |= {("category", name): label for name, label in further.items()}
        if unknown := [(axis, name) for (axis, name), label in given.items() if name and label is None]:
            report.unknown.update(unknown)
            report.reject(number, _("The taxonomy has no label %s.") % ", ".join(name for _axis, name in unknown))
            return None
        known_origin = record.origin in GoldLabel.Origin.values
        label = GoldLabel(
            text=record.text,
            digest=GoldLabel.digest_of(record.text),
            category=category,
            sentiment=sentiment,
            further_categories=[label.pk for label in further.values() if label and label != category][:MOST],
            origin=record.origin if known_origin else GoldLabel.Origin.IMPORT,
            attributes=self._answers(record, category, report),
            corrected=record.corrected,
            people=record.people,
            share=record.share,
            language=record.language[:20],
            source=record.source[:50],
            labelled_at=datetime.fromisoformat(record.labelled_at) if record.labelled_at else timezone.now(),
        )
        self._set_prediction(label, record)
        return label

    def _answers(self, record: Record, category: Category | None, report: ImportReport) -> dict[str, Any]:
        """The answers to attributes that the record has; one that no attribute takes is only counted."""
        if not record.attributes:
            return {}
        stored, refused = accepted_answers(record.attributes, self._asked, str(category or ""))
        report.refused_answers.update(refused)
        return stored

    def _set_prediction(self, label: GoldLabel, record: Record) -> None:
        category, sentiment = self._category(record.model_category), self._sentiment(record.model_sentiment)
        if category and sentiment and record.model_confidence is not None:
            label.predicted_category, label.predicted_sentiment = category, sentiment
            label.predicted_confidence = record.model_confidence
