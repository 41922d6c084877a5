"""What comes of a draft: the changes that were made in it, carried over to the taxonomy as it stands by now.

What was merged, added or edited elsewhere in the meantime stays so; what cannot be brought together is a conflict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from classifier.contract import prompt
from classifier.contract.types import Option
from classifier.models import (
    Category,
    Draft,
    DraftLabel,
    Gate,
    Sentiment,
)
from classifier.models.contract import EmptyTaxonomy, Keyed
from classifier.models.draft import plain
from classifier.models.taxonomy import paths
from classifier.taxonomy.label_changes import AnyLabel


def own(instructions: str) -> str:
    """Instructions in place of the built-in ones; empty where they are those."""
    text = plain(instructions)
    return "" if text == prompt.INSTRUCTIONS else text


@dataclass(eq=False)
class Planned:
    """A label as it would be."""

    pk: int
    """Its number in the plan."""
    label: AnyLabel | None
    """The one that exists; none for a new one."""
    name: str
    description: str
    examples: str
    position: int
    row: DraftLabel | None = None
    parent: Planned | None = None
    dropped: bool = False

    @property
    def parent_id(self) -> int | None:
        return self.parent.pk if self.parent else None

    @property
    def key(self) -> int | None:
        return self.label.pk if self.label else None

    def offered(self, name: str) -> Keyed:
        examples = tuple(line.strip() for line in self.examples.splitlines() if line.strip())
        return self.key, Option(name=name, description=self.description, examples=examples)

    def changed(self) -> set[str]:
        """Which values of the existing label would be others."""
        label = cast(AnyLabel, self.label)
        names = {name for name in ("name", "description", "position") if getattr(label, name) != getattr(self, name)}
        if plain(label.examples) != plain(self.examples):
            names.add("examples")
        # A parent that was retired counts as none already.
        if isinstance(label, Category) and self.parent_key() != _parent_in_use(label):
            names.add("parent")
        return names

    def parent_key(self) -> int | str | None:
        if self.parent is None:
            return None
        return self.parent.key or "new"


def _parent_in_use(category: Category) -> int | None:
    return category.parent_id if category.parent and not category.parent.retired else None


class Plan:
    """The outcome of a draft: its changes applied to the taxonomy and the instructions as they are (five queries)."""

    def __init__(self, draft: Draft) -> None:
        rows = list(draft.labels.all())
        categories = list(Category.objects.select_related("parent"))
        self.categories = Branch([row for row in rows if row.axis == DraftLabel.Axis.CATEGORY], categories)
        self.sentiments = Branch(
            [row for row in rows if row.axis == DraftLabel.Axis.SENTIMENT], list(Sentiment.objects.all())
        )
        problems = [*self.categories.problems(), *self.sentiments.problems(), *self._instructions(draft)]
        if problems:
            raise ValidationError(problems)
        if not self.categories.names() or not self.sentiments.names():
            raise EmptyTaxonomy(_("A draft needs at least one category and one sentiment that are not dropped."))

    def _instructions(self, draft: Draft) -> Iterator[str]:
        gate = Gate.objects.filter(pk=1).first()
        now, mine = own(gate.instructions) if gate else "", own(draft.instructions)
        base = own(draft.based_on.options["instructions"])
        self.instructions = now if mine == base or not gate else mine
        self.instructions_changed = self.instructions != now
        if mine != base and now not in (base, mine):
            yield _("The instructions were changed elsewhere since this draft began.")
        if mine != base and not gate:
            yield _("No models are set up yet: run manage.py setup.")
        if gate and not self.instructions_changed:
            # To the letter, for the contract goes by it.
            self.instructions = gate.instructions

    def told(self) -> Iterator[str]:
        yield from self.categories.told()
        yield from self.sentiments.told()
        if self.instructions_changed and self.instructions:
            yield _("The instructions are replaced.")
        elif self.instructions_changed:
            yield _("The instructions are the built-in ones again.")


class Branch:
    """The outcome for the labels of one kind."""

    def __init__(self, rows: Sequence[DraftLabel], labels: Sequence[AnyLabel]) -> None:
        self._labels = {label.pk: label for label in labels}
        self._rows = {row.pk: row for row in rows}
        self._problems: list[str] = []
        self.planned: list[Planned] = []
        self._standing: dict[int, Planned] = {}
        self._of_row: dict[int, Planned] = {}
        for label in labels:
            if not label.retired:
                self._standing[label.pk] = self._add(label, label)
        for one in self.planned:
            if isinstance(one.label, Category) and one.label.parent_id:
                one.parent = self._standing.get(one.label.parent_id)
        self.names_now = paths(self._sorted())
        for row in rows:
            self._place(row)
        for row in rows:
            self._hang(row)

    def _add(self, label: AnyLabel | None, values: AnyLabel | DraftLabel) -> Planned:
        one = Planned(
            pk=len(self.planned) + 1,
            label=label,
            name=values.name,
            description=values.description,
            examples=values.examples,
            position=values.position,
        )
        self.planned.append(one)
        return one

    def _sorted(self) -> list[Planned]:
        return sorted(self.planned, key=lambda one: (one.position, one.name))

    def names(self) -> dict[int, str]:
        """Full names by number in the plan, of what would be in use, in reading order."""
        return paths(one for one in self._sorted() if not one.dropped)

    def offered(self) -> list[Keyed]:
        by_number = {one.pk: one for one in self.planned}
        return [by_number[number].offered(name) for number, name in self.names().items()]

    # The changes of the draft, applied

    def _followed(self, pk: int | None) -> Planned | None:
        """What stands for a label now: itself, what it was merged into, or nothing where it was retired."""
        while pk in self._labels and self._labels[pk].merged_into_id:
            pk = self._labels[pk].merged_into_id
        return self._standing.get(pk) if pk else None

    def _place(self, row: DraftLabel) -> None:
        if row.label_id is None:
            if not row.dropped:
                self._of_row[row.pk] = self._add(None, row)
                self._of_row[row.pk].row = row
            return
        one = self._followed(row.label_id)
        if one:
            self._of_row[row.pk] = one
        if one is None or one.key != row.label_id:
            if not row.dropped and (self._edited(row) or self._moved(row)):
                self._problem(_lost(row, one))
            return
        one.row = row
        self._take_over(one, row)

    def _take_over(self, one: Planned, row: DraftLabel) -> None:
        for name in ("name", "description", "examples"):
            base, mine, now = row.base[name], _plain(row, name), _plain(one, name)
            if mine != base:
                setattr(one, name, mine)
            if now != base and (row.dropped or mine not in (base, now)):
                self._problem(_("%s was changed elsewhere since this draft began.") % row.base["name"])
                break
        if row.position != row.base["position"]:
            one.position = row.position
        one.dropped = row.dropped

    def _hang(self, row: DraftLabel) -> None:
        """Below the parent that the draft gives it."""
        one = self._of_row.get(row.pk)
        if one is None or one.row is not row or not self._moved(row):
            return
        target = self._of_row.get(row.parent_id) if row.parent_id else None
        if row.parent_id and target is None and not row.dropped:
            parent = {"label": row.name, "parent": self._rows[row.parent_id].name}
            self._problem(_("%(label)s stands below %(parent)s, which is dropped or retired.") % parent)
        if one.label and one.parent is not self._followed(row.base["parent"]) and one.parent is not target:
            self._problem(_("%s was moved elsewhere since this draft began.") % row.base["name"])
        one.parent = target

    def _edited(self, row: DraftLabel) -> bool:
        return any(_plain(row, name) != row.base[name] for name in ("name", "description", "examples"))

    def _moved(self, row: DraftLabel) -> bool:
        if row.label_id is None:
            return True
        parent = self._rows[row.parent_id] if row.parent_id else None
        return bool((parent.label_id or "new" if parent else None) != row.base["parent"])

    def _problem(self, text: str) -> None:
        self._problems.append(text)

    # What stands in its way, and what it does

    def problems(self) -> list[str]:
        return [*self._problems, *self._without_parents(), *self._twins(), *self._below_themselves()]

    def _without_parents(self) -> Iterator[str]:
        for parent in (one for one in self.planned if one.dropped):
            children = [one.name for one in self.planned if one.parent is parent and not one.dropped]
            if children:
                standing = {"label": parent.name, "names": ", ".join(children)}
                yield _("Below %(label)s stand %(names)s; drop or move them first.") % standing

    def _twins(self) -> Iterator[str]:
        numbers = Counter((one.parent_id, one.name) for one in self.planned if not one.dropped)
        for (_parent, name), number in numbers.items():
            if number > 1:
                yield _("There would be two labels of the name %s in one place.") % name

    def _below_themselves(self) -> Iterator[str]:
        reached = self.names()
        for one in self.planned:
            if not one.dropped and one.pk not in reached:
                yield _("%s cannot stand below itself.") % one.name

    def told(self) -> Iterator[str]:
        names, moved = self.names(), False
        place = {number: place for place, number in enumerate(names)}
        for one in sorted(self.planned, key=lambda one: place.get(one.pk, len(place))):
            label = {"label": self.names_now.get(one.pk, one.name), "new": names.get(one.pk, "")}
            if one.label is None:
                yield _("%(new)s is added.") % label
                continue
            if one.dropped:
                yield _("%(label)s is retired.") % label
                continue
            changed = one.changed()
            if "name" in changed:
                yield _("%(label)s is renamed: %(new)s.") % label
            if "parent" in changed:
                yield _("%(label)s is moved: %(new)s.") % label
            if "description" in changed:
                yield _("%(new)s is described anew.") % label
            if "examples" in changed:
                yield _("%(new)s gets other examples.") % label
            moved = moved or "position" in changed
        if moved and [number for number in self.names_now if number in names] != [
            n for n in names if n in self.names_now
        ]:
            yield _("Labels stand in another order.")


def _plain(of: DraftLabel | Planned, name: str) -> str:
    text: str = getattr(of, name)
    return plain(text) if name == "examples" else text


def _lost(row: DraftLabel, into: Planned | None) -> str:
    name: str = row.base["name"]
    if into:
        merged = {"label": name, "into": into.name}
        return _("%(label)s was merged into %(into)s since this draft began; drop it here, too.") % merged
    return _("%s was retired since this draft began; drop it here, too.") % name
