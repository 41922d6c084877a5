"""Creates, previews, publishes and restarts drafts of the taxonomy and instructions.

Benchmark, preview and publication use the same plan.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.contract import prompt
from classifier.models import Category, ContractVersion, Draft, DraftLabel, Gate, Sentiment
from classifier.models.contract import EmptyTaxonomy
from classifier.models.draft import label_snapshot
from classifier.models.taxonomy import paths
from classifier.taxonomy import label_changes
from classifier.taxonomy.draft_plans import AnyLabel, LabelPlan, Plan, custom_instructions

LONGEST_REASON = 100


@transaction.atomic
def create(name: str, by: User | None) -> Draft:
    """Create a draft of the current taxonomy and instructions. Raises EmptyTaxonomy."""
    draft = Draft(name=name, created_by=by)
    store_with_copy(draft)
    return draft


@transaction.atomic
def restart(draft: Draft, by: User | None) -> Draft:
    """Create a draft of the current taxonomy under a numbered name; the old draft stays. Raises EmptyTaxonomy."""
    return create(free_name(re.sub(r" \(\d+\)$", "", draft.name)), by)


def free_name(wanted: str) -> str:
    """The wanted name, shortened or numbered if needed to be unique."""
    longest = 74
    names = (f"{wanted[:longest]} ({number})" if number > 1 else wanted[:80] for number in count(1))
    return next(name for name in names if not Draft.objects.filter(name=name).exists())


@transaction.atomic
def store_with_copy(draft: Draft) -> None:
    """Save a new draft with a copy of the current labels. Raises EmptyTaxonomy."""
    draft.based_on = ContractVersion.objects.current()
    draft.instructions = custom_instructions(draft.based_on.options["instructions"])
    draft.save()
    categories, copies = {category.pk: category for category in Category.objects.active()}, dict[int, DraftLabel]()
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
    base = label_snapshot(label, parent)
    values = {name: value for name, value in base.items() if name != "parent"}
    return DraftLabel(draft=draft, axis=axis, base=base, **values)


def contract_for(draft: Draft) -> ContractVersion:
    """The contract that publishing would create. Existing labels keep their keys; new ones have none yet.

    Raises EmptyTaxonomy, or ValidationError if the draft cannot be published.
    """
    if draft.published_at:
        raise ValidationError(_("The draft %s is already published.") % draft)
    plan, in_force = _checked_plan(draft), ContractVersion.objects.current()
    categories, sentiments = plan.categories.offered(), plan.sentiments.offered()
    options = [option for _pk, option in categories], [option for _pk, option in sentiments]
    asked, further = in_force.terms.attributes, in_force.terms.further_categories
    if prompt.contract_for(*options, plan.instructions, asked, further=further).digest == in_force.digest:
        # The prompt is identical, so keep the contract in use with its keys.
        return in_force
    return ContractVersion.objects.get_or_create_for(
        categories, sentiments, instructions=plan.instructions, further=further
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What publishing changes or changed, what prevents it, and what changed elsewhere since the draft began."""

    changes: list[str]
    problems: list[str]
    changed_since: list[str]


def summary(draft: Draft) -> Summary:
    """Summarise a draft in sentences (five queries)."""
    if draft.published_at:
        return Summary(changes=list(draft.outcome), problems=[], changed_since=[])
    plan, problems = Plan(draft), list[str]()
    try:
        plan.check()
    except EmptyTaxonomy as error:
        problems = [str(error)]
    except ValidationError as error:
        problems = error.messages
    return Summary(changes=plan.changes(), problems=problems, changed_since=plan.changed_since())


@transaction.atomic(durable=True)
def publish(draft: Draft, by: User | None) -> Draft:
    """Publish the draft. Publishing again changes nothing. Raises like `contract_for`."""
    draft = Draft.objects.select_for_update().get(pk=draft.pk)
    if not draft.published_at:
        lock_taxonomy()
        publish_locked(draft, by)
    return draft


def lock_taxonomy() -> None:
    """Let no one else change labels or instructions until the transaction ends."""
    for model in (Category, Sentiment, Gate):
        list(model._default_manager.select_for_update().order_by("pk").values_list("pk"))


def publish_locked(draft: Draft, by: User | None) -> None:
    """Publish the draft, in a transaction that has locked the taxonomy. Raises like `contract_for`."""
    plan = _checked_plan(draft)
    draft.outcome = plan.changes()
    writer = _Writer(by, _("published with the draft %s") % draft)
    writer.write(plan.categories, Category)
    writer.write(plan.sentiments, Sentiment)
    if plan.instructions_changed:
        writer.set_instructions(plan.instructions)
    draft.published_at = timezone.now()
    draft.save(update_fields=["published_at", "outcome"])


def _checked_plan(draft: Draft) -> Plan:
    plan = Plan(draft)
    plan.check()
    return plan


class _Writer:
    """Writes a plan to the tables, with author and reason in each label's history."""

    def __init__(self, by: User | None, reason: str) -> None:
        self._by, self._reason = by, reason[:LONGEST_REASON]

    def write(self, plan: LabelPlan, model: type[AnyLabel]) -> None:
        edited, dropped = plan.edited(), plan.dropped()
        # New labels may have the shortcuts of those that the draft drops.
        model._default_manager.filter(pk__in=dropped).update(shortcut=None)
        labels: dict[int, Any] = model._default_manager.in_bulk([*edited, *dropped])
        self._put_names_aside(model, labels)
        keys: dict[int, int] = {}
        for key in plan.names:
            values = plan.drafted[key]._asdict()
            values["parent_id"] = keys.get(values["parent_id"], values["parent_id"])
            if key not in plan.began:
                keys[key] = self._add(plan.rows[key], model, values)
            elif names := edited.get(key):
                self._change(labels[key], {name: values[name] for name in {"name", *names}})
        for key in dropped:
            into = plan.merges.get(key)
            self._retire(labels[key], model._default_manager.get(pk=keys.get(into, into)) if into else None)

    def _put_names_aside(self, model: type[AnyLabel], pks: Iterable[int]) -> None:
        """Rename labels temporarily, because they may swap names, which are unique. No real name contains this sign."""
        aside = Concat(Value(">"), Cast("pk", models.CharField()))
        model._default_manager.filter(pk__in=list(pks)).update(name=aside)

    def _add(self, row: DraftLabel, model: type[AnyLabel], values: dict[str, Any]) -> int:
        names = ["name", "description", "examples", "position"] + (["parent_id"] if model is Category else [])
        label = self._signed(model(**{name: values[name] for name in names}))
        label.save()
        setattr(row, row.axis, label)
        row.save(update_fields=[row.axis])
        return int(label.pk)

    def _change(self, label: AnyLabel, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(label, name, value)
        self._signed(label).save(update_fields=list(values))

    def _retire(self, label: AnyLabel, into: AnyLabel | None) -> None:
        if into:
            label_changes.merge_locked(self._signed(label), into)
        else:
            label_changes.retire_locked(self._signed(label))
        type(label)._default_manager.filter(pk=label.pk).update(name=label.name)

    def set_instructions(self, instructions: str) -> None:
        gate = Gate.objects.get(pk=1)
        gate.instructions = instructions
        self._signed(gate).save(update_fields=["instructions"])

    def _signed(self, row: Any) -> Any:
        row._history_user, row._change_reason = self._by, self._reason
        return row
