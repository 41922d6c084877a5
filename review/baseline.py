"""One result that later ones are held against: which items were fixed since then, and which broke."""

from __future__ import annotations

from typing import NamedTuple

from django.db import transaction
from django.db.models import BooleanField, Case, OuterRef, Q, QuerySet, Subquery, Value, When

from .models import Contender, Result


class Change(NamedTuple):
    """Among the items that both have, how many are right only now, and how many only were."""

    common: int
    fixed: int
    broken: int


def current() -> Contender | None:
    return Contender.objects.filter(baseline=True).select_related("spec", "run").first()


@transaction.atomic(durable=True)
def pin(contender: Contender) -> None:
    """From now on this one is the baseline, and what was it before is not."""
    Contender.objects.filter(baseline=True).exclude(pk=contender.pk).update(baseline=False)
    Contender.objects.filter(pk=contender.pk).update(baseline=True)


@transaction.atomic(durable=True)
def unpin() -> None:
    Contender.objects.filter(baseline=True).update(baseline=False)


def changes(contenders: list[Contender], baseline: Contender) -> dict[int, Change]:
    """By contender (two queries, whatever their number)."""
    before = {
        gold: category and sentiment
        for gold, category, sentiment in Result.objects.filter(contender=baseline).values_list(
            "item__gold", "category_right", "sentiment_right"
        )
    }
    counts = {contender.pk: [0, 0, 0] for contender in contenders}
    rows = Result.objects.filter(contender__in=counts).values_list(
        "contender", "item__gold", "category_right", "sentiment_right"
    )
    for contender, gold, category, sentiment in rows.iterator(5_000):
        if gold in before:
            now = category and sentiment
            counts[contender][0] += 1
            counts[contender][1] += now and not before[gold]
            counts[contender][2] += before[gold] and not now
    return {pk: Change(*numbers) for pk, numbers in counts.items()}


def changed(contender: Contender, baseline: Contender, *, fixed: bool) -> QuerySet[Result]:
    """The results that are right only now, or only were."""
    right = Case(
        When(Q(category_right=True, sentiment_right=True), then=Value(True)),
        default=Value(False),
        output_field=BooleanField(),
    )
    before = Result.objects.filter(contender=baseline, item__gold=OuterRef("item__gold")).annotate(was=right)
    results = contender.results.annotate(right_now=right, was=Subquery(before.values("was")[:1]))
    return results.filter(right_now=fixed, was=not fixed)
