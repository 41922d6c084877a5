"""Accuracy of the specialist by label, and which labels need more examples most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import Category, Sentiment, SpecialistVersion
from review.benchmark.formatting import AXIS_NAMES
from review.screen.label_options import Option, Options
from review.stats import intervals
from review.stats.classification import LEAST
from review.stats.intervals import Estimate

WIDE_INTERVAL = 0.25
"""Width from which an interval is too wide to judge the accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNeed:
    """A label's number of examples, its accuracy on held-out ones, and in words what it needs."""

    name: str
    examples: int
    held_out: float
    figure: Estimate
    missing: str
    urgency: int

    @property
    def share(self) -> Estimate | None:
        """None if too few examples were held out."""
        return self.figure if self.held_out >= LEAST else None


class AxisNeeds(NamedTuple):
    """The labels of an axis, most in need first; empty if the axis could not be trained."""

    key: str
    name: str
    labels: list[LabelNeed]


class _Counts(NamedTuple):
    examples: int = 0
    held_out: float = 0
    right: float = 0


def label_needs(version: SpecialistVersion) -> list[AxisNeeds]:
    """The needs of today's labels by what this version learned from (three queries)."""
    options = Options.current()
    offered = {"category": options.categories, "sentiment": options.sentiments}
    merged = {"category": _merged(Category.objects.all()), "sentiment": _merged(Sentiment.objects.all())}
    return [
        AxisNeeds(axis, str(name), _label_needs(offered[axis], _counts(version.figures.get(axis, {}), merged[axis])))
        for axis, name in AXIS_NAMES.items()
    ]


def _merged(labels: QuerySet[Any]) -> dict[int, int]:
    return dict(labels.filter(merged_into__isnull=False).order_by().values_list("pk", "merged_into"))


def _counts(figures: Mapping[str, Any], merged: Mapping[int, int]) -> dict[int, _Counts]:
    """Counts by label; labels merged since then count for their successor."""
    counts: dict[int, _Counts] = {}
    for key, numbers in figures.get("labels", {}).items():
        label = int(key)
        while label in merged:
            label = merged[label]
        known = counts.get(label, _Counts())
        counts[label] = _Counts(*(count + added for count, added in zip(known, numbers, strict=True)))
    return counts


def _label_needs(offered: Sequence[Option], counts: Mapping[int, _Counts]) -> list[LabelNeed]:
    if not counts:
        return []
    examples, held_out, right = (sum(numbers) for numbers in zip(*counts.values(), strict=True))
    whole = intervals.share(right, held_out)
    # With many examples only a part is held out.
    rate = held_out / examples if held_out else 1.0
    needs = [_label_need(option.name, counts.get(option.pk, _Counts()), whole, rate) for option in offered]
    return sorted(
        needs, key=lambda need: (need.urgency, need.figure.estimate if need.share else need.examples, need.name)
    )


def _label_need(name: str, counts: _Counts, whole: Estimate, rate: float) -> LabelNeed:
    figure = intervals.share(counts.right, counts.held_out)
    urgency, missing = _missing(counts, figure, whole, rate)
    return LabelNeed(
        name=name,
        examples=counts.examples,
        held_out=counts.held_out,
        figure=figure,
        missing=missing,
        urgency=urgency,
    )


def _missing(counts: _Counts, figure: Estimate, whole: Estimate, rate: float) -> tuple[int, str]:
    if not counts.examples:
        return 0, _("No examples yet: the model knows only its name and description.")
    if counts.held_out < LEAST or figure.low is None or figure.high is None:
        more = max(ceil((LEAST - counts.held_out) / rate), 1)
        message = ngettext(
            "Needs %d more label before its accuracy can be judged.",
            "Needs %d more labels before its accuracy can be judged.",
            more,
        )
        return 1, message % more
    if figure.high < (whole.estimate or 0.0):
        return 2, _("Less accurate than the rest: add labels or clarify the description.")
    if figure.high - figure.low > WIDE_INTERVAL:
        return 3, _("Accuracy still uncertain: more labels will narrow it down.")
    return 4, ""
