"""List a contender's answers next to the expected labels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q, QuerySet

from review.benchmark import baseline
from review.benchmark.baseline import RIGHT
from review.benchmark.formatting import AXIS_NAMES, NO_LABEL, LabelNames
from review.benchmark.metrics import AXES
from review.gold import disputes
from review.models import Contender, GoldLabel, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFilter:
    """Filters of the list of answers; empty ones do not filter. Labels are keys, or NO_LABEL for none of the labels."""

    show: str = ""
    category: str = ""
    predicted_category: str = ""
    sentiment: str = ""
    predicted_sentiment: str = ""
    change: str = ""
    failure: str = ""


_BY_CORRECTNESS = {
    "wrong": Q(category_right=False) | Q(sentiment_right=False),
    "wrong_category": Q(category_right=False),
    "wrong_sentiment": Q(sentiment_right=False),
    "right": RIGHT,
}


def filter_results(contender: Contender, wanted: AnswerFilter, against: Contender | None) -> QuerySet[Result]:
    """The matching results in the order of the items. Filtering by change finds nothing without a baseline."""
    results = contender.results.all()
    if wanted != AnswerFilter():  # which would reveal a sealed label
        results = results.filter(item__gold__in=GoldLabel.objects.unsealed())
    if wanted.change:
        now, was = (RIGHT, ~RIGHT) if wanted.change == "fixed" else (~RIGHT, RIGHT)
        results = results.filter(now, baseline.items_where(against, contender, was)) if against else results.none()
    results = results.filter(_BY_CORRECTNESS.get(wanted.show, Q()))
    for axis in AXES:
        results = results.filter(_labels(axis, getattr(wanted, axis), getattr(wanted, f"predicted_{axis}")))
    if wanted.failure:
        results = results.filter(failure=wanted.failure)
    return results.select_related("item__gold__ticket").order_by("item__position")


def _labels(axis: str, expected: str, answered: str) -> Q:
    """A right answer below the expected label counts as the expected one, as in the confusion matrix."""
    narrowing = Q(**{f"item__{axis}": int(expected)}) if expected else Q()
    right = Q(**{f"{axis}_right": True})
    if answered == NO_LABEL:
        return narrowing & ~right & Q(**{f"{axis}__isnull": True})
    if answered:
        named = right & Q(**{f"item__{axis}": int(answered)}) | ~right & Q(**{axis: int(answered)})
        return narrowing & named
    return narrowing


SHOWN, LONGEST_TEXT = 600, 20_000
"""Characters of a text that are visible, and that the page contains."""


class AnswerRow(NamedTuple):
    result: Result
    text: str
    rest: str
    left_out: int
    expected: list[tuple[str, str, bool]]
    """By axis: its name, the expected label, and whether the answer is right."""
    can_dispute: bool

    @property
    def gold(self) -> GoldLabel:
        return self.result.item.gold

    @property
    def sealed(self) -> bool:
        """Whether its labels may not be shown."""
        return self.gold.sealed

    @property
    def gold_state(self) -> str:
        """The state of a gold label that is no longer in use; else empty."""
        return "" if self.gold.state == GoldLabel.State.ACTIVE else self.gold.get_state_display()


def answer_rows(results: Iterable[Result], names: LabelNames) -> Iterator[AnswerRow]:
    for result in results:
        item, text = result.item, result.item.gold.text
        expected = [
            (str(AXIS_NAMES[axis]), names.name(axis, getattr(item, axis)), getattr(result, f"{axis}_right"))
            for axis in AXES
            if getattr(item, axis)
        ]
        yield AnswerRow(
            result=result,
            text=text[:SHOWN],
            rest=text[SHOWN:LONGEST_TEXT],
            left_out=max(len(text) - LONGEST_TEXT, 0),
            expected=expected,
            can_dispute=item.gold.state not in disputes.CLOSED,
        )


def failure_kinds(contender: Contender) -> list[str]:
    if contender.figures:
        return list(contender.figures["failures"])
    failures = contender.results.exclude(failure="").order_by("failure")
    return list(failures.values_list("failure", flat=True).distinct())
