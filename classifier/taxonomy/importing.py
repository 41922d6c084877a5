"""Imports labels from files: as a draft to look at and publish, or at once."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import Category, Draft, DraftLabel, Sentiment
from classifier.taxonomy import drafts
from classifier.taxonomy.draft_plans import Plan
from classifier.taxonomy.files.entries import LabelEntry, Path, UnusableFile, folded


@transaction.atomic
def create_draft(entries: Sequence[LabelEntry], name: str, by: User | None, *, complete: bool = False) -> Draft | None:
    """Create a draft of the current taxonomy with the changes of a file; none if it changes nothing.

    New labels come last. Labels that the file lacks stay, unless it is `complete`: then those of its kinds are dropped.
    Raises UnusableFile for a label to retire or to merge into that there is not, and EmptyTaxonomy.
    """
    draft = drafts.create(drafts.free_name(name), by)
    _DraftedLabels(draft).apply(entries, complete=complete)
    if Plan(draft).changes():
        return draft
    draft.delete()
    return None


@transaction.atomic(durable=True)
def apply(entries: Sequence[LabelEntry], name: str, by: User | None, *, complete: bool = False) -> list[str]:
    """Publish the changes of a file; returns a sentence for each. Raises like `create_draft` and `publish`."""
    drafts.lock_taxonomy()
    draft = create_draft(entries, name, by, complete=complete)
    if draft is None:
        return []
    drafts.publish_locked(draft, by)
    return list(draft.outcome)


@transaction.atomic
def preview(entries: Sequence[LabelEntry], name: str, *, complete: bool = False) -> drafts.Summary:
    """What `apply` would change, and what would prevent it. Raises like `create_draft`."""
    draft = create_draft(entries, name, None, complete=complete)
    summary = drafts.summary(draft) if draft else drafts.Summary(changes=[], problems=[], changed_since=[])
    transaction.set_rollback(True)
    return summary


class _DraftedLabels:
    """The labels of a draft by their place in the tree, found in any case of letters."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._rows = list(draft.labels.all())
        self._places: dict[tuple[str, int | None, str], DraftLabel] = {}
        for row in self._rows:
            self._index(row)
        self._last = max((row.position for row in self._rows), default=0)

    def apply(self, entries: Sequence[LabelEntry], *, complete: bool) -> None:
        listed: set[int] = set()
        for entry in entries:
            if not entry.leaves:
                listed |= self._write(entry)
        self._drop([entry for entry in entries if entry.leaves])
        if complete:
            axes = {entry.axis for entry in entries}
            missing = [row.pk for row in self._rows if row.axis in axes and row.pk not in listed]
            self._draft.labels.filter(pk__in=missing).update(dropped=True)

    def _write(self, entry: LabelEntry) -> set[int]:
        """Add or change a label and add those above it; returns all their primary keys."""
        row, pks = None, set[int]()
        for name in entry.path:
            row = self._child(entry.axis, row, name) or self._add(entry.axis, row, name)
            pks.add(row.pk)
        given = {name: getattr(entry, name) for name in ("description", "examples") if getattr(entry, name)}
        if row and any(getattr(row, name) != value for name, value in given.items()):
            self._draft.labels.filter(pk=row.pk).update(**given)
        return pks

    def _drop(self, entries: Sequence[LabelEntry]) -> None:
        gone, problems = _retired_labels() if entries else set(), list[str]()
        for entry in entries:
            row, into = self._find(entry.axis, entry.path), self._find(entry.axis, entry.merge_into)
            for label, path in ((row, entry.path), (into, entry.merge_into)):
                if path and not label and (entry.axis, folded(path)) not in gone:
                    problems.append(_("The taxonomy has no label %s.") % " > ".join(path))
            if row and (into or not entry.merge_into):
                self._draft.labels.filter(pk=row.pk).update(dropped=True, merge_into=into)
        if problems:
            raise UnusableFile(*problems)

    def _find(self, axis: str, path: Path) -> DraftLabel | None:
        row = None
        for name in path:
            row = self._child(axis, row, name)
            if row is None:
                return None
        return row

    def _child(self, axis: str, parent: DraftLabel | None, name: str) -> DraftLabel | None:
        above = parent.pk if parent else None
        return self._places.get((axis, above, name)) or self._places.get((axis, above, name.casefold()))

    def _add(self, axis: str, parent: DraftLabel | None, name: str) -> DraftLabel:
        self._last += 1
        row = DraftLabel(draft=self._draft, axis=axis, parent=parent, name=name, position=self._last)
        row.save()
        self._index(row)
        return row

    def _index(self, row: DraftLabel) -> None:
        for name in (row.name, row.name.casefold()):
            self._places.setdefault((row.axis, row.parent_id, name), row)


def _retired_labels() -> set[tuple[str, Path]]:
    """By axis and path in any case, so that a file can be imported again after it retired them (two queries)."""
    categories = Category.objects.filter(retired=True).values_list("full_name", flat=True)
    sentiments = Sentiment.objects.filter(retired=True).values_list("name", flat=True)
    axis = DraftLabel.Axis
    return {(axis.CATEGORY, tuple(name.casefold().split(" > "))) for name in categories} | {
        (axis.SENTIMENT, (name.casefold(),)) for name in sentiments
    }
