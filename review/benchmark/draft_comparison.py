"""Effect of a taxonomy draft: a model's answers under the draft compared with those under the contract in force."""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils.translation import gettext as _

from classifier.models import ContractVersion, Draft, LanguageModel
from classifier.taxonomy import drafts
from review.benchmark.grading import Grader
from review.benchmark.population import ItemSource, measured
from review.benchmark.runs import Entry
from review.gold import gold_labels
from review.models import Contender, GoldLabel, Result, Run, SnapshotItem


def entries_for(draft: Draft, language_models: Iterable[LanguageModel], examples: int | None = None) -> list[Entry]:
    """An entry under the contract in force and one under the draft's contract, for each model.

    Raises EmptyTaxonomy, and ValidationError if the draft cannot be published or does not change the contract.
    """
    in_force, drafted = ContractVersion.objects.current(), drafts.contract_for(draft)
    if drafted == in_force:
        raise ValidationError(_("The draft %s doesn't change what models are asked.") % draft)
    contracts = ((in_force, ""), (drafted, draft.name))
    return [
        Entry(language_model, contract, label, examples)
        for language_model in language_models
        for contract, label in contracts
    ]


def leaked_labels(contract: ContractVersion) -> list[GoldLabel]:
    """Benchmark labels whose texts are (nearly) among the contract's examples, which flatters its figures."""
    axes = (contract.options.get(axis, ()) for axis in ("categories", "sentiments"))
    return gold_labels.leaked_labels(
        text for labels in axes for _pk, _name, _description, examples in labels for text in examples
    )


class DraftEffect(NamedTuple):
    """One model under both contracts, on the items that it has answered under both.

    `changed` holds the keys of items answered differently; `fixed` and `broken` those right only under the draft, and
    only under the contract in force. `lost` counts items whose expected label the draft no longer offers.
    """

    draft: Contender
    in_force: Contender
    common: int
    changed: tuple[int, ...]
    fixed: tuple[int, ...]
    broken: tuple[int, ...]
    lost: int
    before: float | None
    after: float | None
    """The shares that are right, of the population that `figures` names."""
    figures: dict[str, Any]


class ChangedAnswer(NamedTuple):
    """An item answered differently, with its expected labels as named in the snapshot, and both results."""

    item: SnapshotItem
    category: str
    sentiment: str
    before: Result
    after: Result

    @property
    def fixed(self) -> bool:
        return self.after.right and not self.before.right

    @property
    def broken(self) -> bool:
        return self.before.right and not self.after.right


def draft_effects(run: Run) -> list[DraftEffect]:
    """Every model of the run under a draft or an earlier contract, compared with itself under the one in force."""
    contenders = list(run.contenders.select_related("language_model", "contract"))
    in_force = {
        (contender.language_model_id, contender.examples): contender for contender in contenders if not contender.label
    }
    pairs = [
        (contender, in_force.get((contender.language_model_id, contender.examples)))
        for contender in contenders
        if contender.label
    ]
    return [draft_effect(drafted, now) for drafted, now in pairs if now]


def in_force_counterpart(contender: Contender) -> Contender | None:
    """The contender of the run with the same model and examples under the contract in force; None if there is none,
    or if it is this one.
    """
    if not contender.label:
        return None
    alike = {"run": contender.run_id, "language_model": contender.language_model_id, "examples": contender.examples}
    return Contender.objects.filter(label="", **alike).first()


def draft_effect(draft: Contender, in_force: Contender) -> DraftEffect:
    before, after = _results(in_force), _results(draft)
    both = [(pk, before[pk], after[pk]) for pk in after if pk in before]
    changed = [(pk, old, new) for pk, old, new in both if _answers_differ(old, new)]
    population, rows, sample = measured([_source(new) for _pk, _old, new in both])
    return DraftEffect(
        draft=draft,
        in_force=in_force,
        common=len(both),
        changed=tuple(pk for pk, _old, _new in changed),
        fixed=tuple(pk for pk, old, new in changed if new.right and not old.right),
        broken=tuple(pk for pk, old, new in changed if old.right and not new.right),
        lost=_count_unreachable(draft, [old for _pk, old, _new in both]),
        before=sample.mean([old.right for _pk, old, _new in compress(both, rows)]),
        after=sample.mean([new.right for _pk, _old, new in compress(both, rows)]),
        figures={"population": population, "n": len(sample)},
    )


def changed_answers(effect: DraftEffect, items: Sequence[int]) -> list[ChangedAnswer]:
    """The changed answers for these items, in this order (three queries)."""
    results = Result.objects.filter(contender__in=[effect.draft, effect.in_force], item__in=items)
    by_item = {(result.contender_id, result.item_id): result for result in results}
    rows = SnapshotItem.objects.select_related("gold", "snapshot").in_bulk(items)
    names = {axis: _names(rows.values(), axis) for axis in ("categories", "sentiments")}
    return [
        ChangedAnswer(
            item=rows[pk],
            category=names["categories"].get(rows[pk].category or 0, ""),
            sentiment=names["sentiments"].get(rows[pk].sentiment or 0, ""),
            before=by_item[effect.in_force.pk, pk],
            after=by_item[effect.draft.pk, pk],
        )
        for pk in items
    ]


def _names(rows: Iterable[SnapshotItem], axis: str) -> dict[int, str]:
    # All items of a run belong to one snapshot.
    return next((row.snapshot.names(axis) for row in rows), {})


def _source(result: Result) -> ItemSource:
    return ItemSource(result.item.origin, result.item.share, vars(result)["group"])


def _results(contender: Contender) -> dict[int, Result]:
    rows = contender.results.select_related("item").order_by("item__position").defer("reasoning", "detail")
    rows = rows.annotate(group=F("item__gold__group"))
    return {result.item_id: result for result in rows.iterator(5_000)}


def _answers_differ(old: Result, new: Result) -> bool:
    """Compare labels by key, since labels may be renamed; new labels of a draft have no key and compare by name."""
    if old.failure or new.failure:
        return bool(old.failure) != bool(new.failure)
    keys = (old.category, old.sentiment, new.category, new.sentiment)
    if None in keys:
        return old.answer != new.answer
    return keys[:2] != keys[2:]


def _count_unreachable(draft: Contender, results: Sequence[Result]) -> int:
    offered, grader = draft.contract.loaded().labels, Grader()
    categories = {
        wanted: any(grader.category(name, wanted, offered) for name in offered.categories)
        for wanted in {result.item.category for result in results}
    }
    sentiments = {
        wanted: any(grader.sentiment(name, wanted, offered) for name in offered.sentiments)
        for wanted in {result.item.sentiment for result in results}
    }
    return sum(not (categories[result.item.category] and sentiments[result.item.sentiment]) for result in results)
