"""The pinned baseline: one result that later results are compared with."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Q

from review.models import Contender, Result

RIGHT = Q(category_right=True, sentiment_right=True)


class BaselineChange(NamedTuple):
    """How many items both have answered, and how many of them were fixed and broken since the baseline."""

    common: int
    fixed: int
    broken: int


def current() -> Contender | None:
    return Contender.objects.filter(baseline=True).select_related("language_model", "run").first()


@transaction.atomic(durable=True)
def pin(contender: Contender) -> None:
    Contender.objects.filter(baseline=True).exclude(pk=contender.pk).update(baseline=False)
    Contender.objects.filter(pk=contender.pk).update(baseline=True)


@transaction.atomic(durable=True)
def unpin() -> None:
    Contender.objects.filter(baseline=True).update(baseline=False)


def compare_to_baseline(contenders: Sequence[Contender], against: Contender | None) -> dict[int, BaselineChange]:
    """The changes by contender key, without the baseline itself (one query)."""
    later = [contender for contender in contenders if against and contender.pk != against.pk]
    if not against or not later:
        return {}
    right, wrong = items_where(against, later[0], RIGHT), items_where(against, later[0], ~RIGHT)
    results = Result.objects.filter(right | wrong, contender__in=later).order_by().values_list("contender")
    rows = results.annotate(
        common=Count("pk"), fixed=Count("pk", filter=RIGHT & wrong), broken=Count("pk", filter=~RIGHT & right)
    )
    return {contender: BaselineChange(*numbers) for contender, *numbers in rows}


def items_where(against: Contender, contender: Contender, kind: Q) -> Q:
    """Matches results whose item has a baseline result of this kind: by item, or across snapshots by gold label."""
    key = "item" if against.run.snapshot_id == contender.run.snapshot_id else "item__gold"
    return Q(**{f"{key}__in": against.results.filter(kind).order_by().values(key)})
