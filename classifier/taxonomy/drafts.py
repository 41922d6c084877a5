"""What admins do with drafts: begin one, see what it would change, have models asked under it, publish it.

What is measured, shown and published is one and the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.contract import prompt
from classifier.models import (
    Category,
    ContractVersion,
    Draft,
    DraftLabel,
    Gate,
    Sentiment,
)
from classifier.models.draft import base_of
from classifier.models.taxonomy import paths
from classifier.taxonomy import label_changes
from classifier.taxonomy.draft_plans import (
    Branch,
    Plan,
    Planned,
    own,
)
from classifier.taxonomy.label_changes import AnyLabel

LONGEST_REASON = 100


@transaction.atomic
def begin(name: str, by: User | None) -> Draft:
    """A draft that is as the taxonomy and the instructions in force are now. Raises EmptyTaxonomy."""
    draft = Draft(name=name, created_by=by)
    start(draft)
    return draft


@transaction.atomic
def start(draft: Draft) -> None:
    """Store a new draft together with a copy of what is in force. Raises EmptyTaxonomy."""
    draft.based_on = ContractVersion.objects.in_force()
    draft.instructions = own(draft.based_on.options["instructions"])
    draft.save()
    categories, copies = {one.pk: one for one in Category.objects.active()}, dict[int, DraftLabel]()
    for pk in paths(categories.values()):
        category = categories[pk]
        parent = category.parent_id if category.parent_id in categories else None
        copies[pk] = _copy(draft, category, parent)
        copies[pk].category, copies[pk].parent = category, copies[parent] if parent else None
        copies[pk].save()
    for sentiment in Sentiment.objects.active():
        copy = _copy(draft, sentiment, None)
        copy.sentiment = sentiment
        copy.save()


def _copy(draft: Draft, label: AnyLabel, parent: int | None) -> DraftLabel:
    axis = DraftLabel.Axis.CATEGORY if isinstance(label, Category) else DraftLabel.Axis.SENTIMENT
    base = base_of(label, parent)
    values = {name: value for name, value in base.items() if name != "parent"}
    return DraftLabel(draft=draft, axis=axis, base=base, **values)


def contract_of(draft: Draft) -> ContractVersion:
    """The contract that would be in force. Labels that exist keep their keys, new ones have none yet.

    Raises EmptyTaxonomy, and ValidationError where the draft cannot be published as it is.
    """
    _check_open(draft)
    plan, in_force = Plan(draft), ContractVersion.objects.in_force()
    categories, sentiments = plan.categories.offered(), plan.sentiments.offered()
    options = [option for _pk, option in categories], [option for _pk, option in sentiments]
    if prompt.contract_for(*options, plan.instructions).digest == in_force.digest:
        # Models are asked the same, so the keys behind it must stay those in use.
        return in_force
    return ContractVersion.objects.worded(categories, sentiments, instructions=plan.instructions)


def changes(draft: Draft) -> list[str]:
    """What publishing would do, or has done, a sentence each. Raises like contract_of."""
    return list(draft.outcome) if draft.published_at else list(Plan(draft).told())


@transaction.atomic(durable=True)
def publish(draft: Draft, by: User | None) -> Draft:
    """Put the draft in force; once, however often it is asked for. Raises like contract_of."""
    draft = Draft.objects.select_for_update().get(pk=draft.pk)
    if draft.published_at:
        return draft
    for model in (Category, Sentiment, Gate):
        list(model._default_manager.select_for_update().order_by("pk").values_list("pk"))
    plan = Plan(draft)
    draft.outcome = list(plan.told())
    writer = _Writer(by, _("published with the draft %s") % draft)
    writer.write(plan.categories)
    writer.write(plan.sentiments)
    if plan.instructions_changed:
        writer.set_instructions(plan.instructions)
    draft.published_at = timezone.now()
    draft.save(update_fields=["published_at", "outcome"])
    return draft


def _check_open(draft: Draft) -> None:
    if draft.published_at:
        raise ValidationError(_("The draft %s is published; what it changed is in force.") % draft)


class _Writer:
    """Puts a plan into the tables, every change with its author and reason in the history."""

    def __init__(self, by: User | None, reason: str) -> None:
        self._by, self._reason = by, reason[:LONGEST_REASON]

    def write(self, branch: Branch) -> None:
        by_number = {one.pk: one for one in branch.planned}
        kept = [by_number[number] for number in branch.names()]
        dropped = [by_number[number] for number in reversed(branch.names_now) if by_number[number].dropped]
        changed = [one for one in kept if one.label and one.changed()]
        self._put_names_aside([*changed, *dropped])
        for one in kept:
            if one.label is None:
                self._add(one)
            elif one in changed:
                self._change(one, one.label)
        for one in dropped:
            self._retire(cast(AnyLabel, one.label))

    def _put_names_aside(self, planned: Iterable[Planned]) -> None:
        """Labels may take each other's names, which are never two at once; no label has one with this sign."""
        for one in planned:
            label = cast(AnyLabel, one.label)
            aside = Concat(Value(">"), Cast("pk", models.CharField()))
            type(label)._default_manager.filter(pk=label.pk).update(name=aside)

    def _add(self, one: Planned) -> None:
        row = cast(DraftLabel, one.row)
        values = {"name": one.name, "description": one.description, "examples": one.examples, "position": one.position}
        if row.axis == DraftLabel.Axis.CATEGORY:
            row.category = one.label = self._signed(Category(parent=_label_of(one.parent), **values))
        else:
            row.sentiment = one.label = self._signed(Sentiment(**values))
        one.label.save()
        row.save(update_fields=[row.axis])

    def _change(self, one: Planned, label: AnyLabel) -> None:
        changed = one.changed()
        for name in changed:
            setattr(label, name, _label_of(one.parent) if name == "parent" else getattr(one, name))
        self._signed(label).save(update_fields=["name", *changed])

    def _retire(self, label: AnyLabel) -> None:
        label_changes.retire_locked(self._signed(label))
        type(label)._default_manager.filter(pk=label.pk).update(name=label.name)

    def set_instructions(self, instructions: str) -> None:
        gate = Gate.objects.get(pk=1)
        gate.instructions = instructions
        self._signed(gate).save(update_fields=["instructions"])

    def _signed(self, row: Any) -> Any:
        row._history_user, row._change_reason = self._by, self._reason
        return row


def _label_of(planned: Planned | None) -> Any:
    return planned.label if planned else None
