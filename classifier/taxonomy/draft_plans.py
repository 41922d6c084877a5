"""Compares a draft with the taxonomy and instructions it started from and with the current ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from classifier.contract import prompt
from classifier.contract.types import Option
from classifier.models import Category, Draft, DraftLabel, Gate, Sentiment
from classifier.models.contract import EmptyTaxonomy, KeyedOption
from classifier.models.draft import label_snapshot, normalized_text
from classifier.models.taxonomy import paths

AnyLabel = Category | Sentiment


def custom_instructions(instructions: str) -> str:
    """The instructions, or an empty string if they equal the built-in ones."""
    text = normalized_text(instructions)
    return "" if text == prompt.INSTRUCTIONS else text


class LabelState(NamedTuple):
    """A label's values. A label that is not in the taxonomy yet has a negative key."""

    pk: int
    parent_id: int | None
    name: str
    description: str
    examples: str
    position: int

    def differing(self, other: "LabelState") -> list[str]:
        """The names of the values that differ."""
        return [name for name in self._fields if getattr(self, name) != getattr(other, name)]

    def offered(self, full_name: str) -> KeyedOption:
        examples = tuple(line.strip() for line in self.examples.splitlines() if line.strip())
        return self.pk if self.pk > 0 else None, Option(name=full_name, description=self.description, examples=examples)


States = dict[int, LabelState]


def full_names(states: States) -> dict[int, str]:
    """Full names by key, in reading order."""
    ordered: list[LabelState] = sorted(states.values(), key=lambda label: (label.position, label.name))
    return paths(ordered)


def differences(before: States, after: States, merges: Mapping[int, int] = {}) -> Iterator[str]:
    """A sentence for each change from one to the other. `merges` gives the successors of merged labels."""
    old, new = full_names(before), full_names(after)
    for pk in (*new, *(pk for pk in old if pk not in after)):
        names = {"label": old.get(pk, ""), "new": new.get(pk, "")}
        if pk not in before:
            yield _("%(new)s is added.") % names
        elif merges.get(pk) in after:
            yield _("%(label)s is merged into %(into)s.") % {"label": old[pk], "into": new.get(merges[pk], "")}
        elif pk not in after:
            yield _("%(label)s is retired.") % names
        else:
            yield from _edits(before[pk].differing(after[pk]), names)
    repositioned = any(before[pk].position != after[pk].position for pk in before.keys() & after.keys())
    if repositioned and [pk for pk in old if pk in new] != [pk for pk in new if pk in old]:
        yield _("The order of labels changes.")


def _edits(differing: list[str], names: dict[str, str]) -> Iterator[str]:
    if "name" in differing:
        yield _("%(label)s is renamed: %(new)s.") % names
    if "parent_id" in differing:
        yield _("%(label)s is moved: %(new)s.") % names
    if "description" in differing:
        yield _("%(new)s gets a new description.") % names
    if "examples" in differing:
        yield _("%(new)s gets new examples.") % names


class LabelPlan:
    """The labels of one axis: when the draft began, now, and in the draft."""

    def __init__(self, rows: Sequence[DraftLabel], labels: Sequence[AnyLabel]) -> None:
        self.rows = {_key(row): row for row in rows}
        keys = {row.pk: key for key, row in self.rows.items()}
        self.merges = {
            key: keys[row.merge_into_id] for key, row in self.rows.items() if row.dropped and row.merge_into_id
        }
        self.began: States = {}
        self.drafted: States = {}
        for key, row in self.rows.items():
            if row.base:
                self.began[key] = _state(key, row.base)
            if not row.dropped:
                parent = keys[row.parent_id] if row.parent_id else None
                self.drafted[key] = _state(key, label_snapshot(row, parent))
        active = {label.pk: label for label in labels}
        self.now = {
            pk: _state(pk, label_snapshot(label, _active_parent(label, active))) for pk, label in active.items()
        }
        self.names = full_names(self.drafted)

    def changes(self) -> Iterator[str]:
        return differences(self.began, self.drafted, self.merges)

    def changed_since(self) -> Iterator[str]:
        return differences(self.began, self.now)

    def offered(self) -> list[KeyedOption]:
        return [self.drafted[key].offered(name) for key, name in self.names.items()]

    def edited(self) -> dict[int, list[str]]:
        """The names of changed values, by the key of the existing label."""
        changes = {key: self.began[key].differing(self.drafted[key]) for key in self.names if key in self.began}
        return {key: differing for key, differing in changes.items() if differing}

    def dropped(self) -> list[int]:
        """Children before their parents."""
        return [key for key in reversed(full_names(self.began)) if key not in self.drafted]

    def problems(self) -> Iterator[str]:
        for key, into in self.merges.items():
            if into not in self.drafted:
                names = {"label": self.rows[key].name, "into": self.rows[into].name}
                yield _("%(label)s can't be merged into %(into)s, which is dropped.") % names
        for key, row in self.rows.items():
            children = ", ".join(label.name for label in self.drafted.values() if label.parent_id == key)
            if children and key not in self.drafted:
                yield _("%(label)s still contains %(names)s; drop or move them first.") % {
                    "label": row.name,
                    "names": children,
                }
            if key in self.drafted and key not in self.names:
                yield _("%s cannot be its own parent.") % row.name


def _key(row: DraftLabel) -> int:
    return row.label_id or -row.pk


def _state(key: int, base: dict[str, Any]) -> LabelState:
    words = {name: value for name, value in base.items() if name != "parent"}
    return LabelState(pk=key, parent_id=base["parent"], **words)


def _active_parent(label: AnyLabel, active: dict[int, AnyLabel]) -> int | None:
    return label.parent_id if isinstance(label, Category) and label.parent_id in active else None


class Plan:
    """What publishing a draft would do (five queries). Publishing requires that nothing changed since it began."""

    def __init__(self, draft: Draft) -> None:
        rows = list(draft.labels.all())
        self.categories, self.sentiments = (
            LabelPlan([row for row in rows if row.axis == axis], list(model.objects.active()))
            for axis, model in ((DraftLabel.Axis.CATEGORY, Category), (DraftLabel.Axis.SENTIMENT, Sentiment))
        )
        self._has_gate = (gate := Gate.objects.filter(pk=1).first()) is not None
        began, now = (
            custom_instructions(draft.based_on.options["instructions"]),
            custom_instructions(gate.instructions) if gate else "",
        )
        self._instructions_since = began != now
        self.instructions_changed = custom_instructions(draft.instructions) != began
        # Unchanged instructions stay verbatim, because the contract's digest depends on them.
        self.instructions = (
            gate.instructions if gate and not self.instructions_changed else custom_instructions(draft.instructions)
        )

    def changes(self) -> list[str]:
        """One sentence per change that publishing makes."""
        sentences = [*self.categories.changes(), *self.sentiments.changes()]
        if self.instructions_changed and self.instructions:
            sentences.append(_("The instructions are replaced."))
        elif self.instructions_changed:
            sentences.append(_("The instructions are the built-in ones again."))
        return sentences

    def changed_since(self) -> list[str]:
        """One sentence per change made elsewhere since the draft began. Any of them prevents publishing."""
        sentences = [*self.categories.changed_since(), *self.sentiments.changed_since()]
        return sentences + ([_("The instructions are replaced.")] if self._instructions_since else [])

    def check(self) -> None:
        """Raises ValidationError or EmptyTaxonomy if the draft cannot be published."""
        problems = [*self.categories.problems(), *self.sentiments.problems()]
        if self.changed_since():
            problems.insert(0, _("The taxonomy or the instructions changed since this draft began."))
        if self.instructions_changed and not self._has_gate:
            problems.append(_("No models are set up yet: run manage.py setup."))
        if problems:
            raise ValidationError(problems)
        if not self.categories.names or not self.sentiments.names:
            raise EmptyTaxonomy(_("A draft needs at least one category and one sentiment that are not dropped."))
