"""A contender's answers, one by one, next to the expected labels."""

from __future__ import annotations

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
    """Which answers; what is empty does not narrow. Labels go by key, or NONE of an answer that names no such label."""

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
    """Its results of this kind, in the order of the items. A change is against the baseline, and none without one."""
    results = contender.results.all()
    if wanted.change:
        now, was = (RIGHT, ~RIGHT) if wanted.change == "fixed" else (~RIGHT, RIGHT)
        results = results.filter(now, baseline.items_where(against, contender, was)) if against else results.none()
    results = results.filter(_BY_CORRECTNESS.get(wanted.show, Q()))
    for axis in AXES:
        results = results.filter(_labels(axis, getattr(wanted, axis), getattr(wanted, f"predicted_{axis}")))
    if wanted.failure:
        results = results.filter(failure=wanted.failure)
    return results.select_related("item__gold").order_by("item__position")


def _labels(axis: str, expected: str, answered: str) -> Q:
    """An answer that is right by being a finer one counts as the one expected, as in the matrix."""
    narrowing = Q(**{f"item__{axis}": int(expected)}) if expected else Q()
    right = Q(**{f"{axis}_right": True})
    if answered == NO_LABEL:
        return narrowing & ~right & Q(**{f"{axis}__isnull": True})
    if answered:
        named = right & Q(**{f"item__{axis}": int(answered)}) | ~right & Q(**{axis: int(answered)})
        return narrowing & named
    return narrowing


SHOWN, LONGEST_TEXT = 600, 20_000
"""Characters of a text that are in sight, and that the page holds."""


class AnswerRow(NamedTuple):
    """An answer beside what was expected."""

    result: Result
    text: str
    rest: str
    left_out: int
    expected: list[tuple[str, str, bool]]
    """Of each axis its name, the label expected, and whether the answer names it."""
    can_dispute: bool

    @property
    def gold(self) -> GoldLabel:
        return self.result.item.gold

    @property
    def gold_state(self) -> str:
        """What stands against the label, where it is not in use any more."""
        return "" if self.gold.state == GoldLabel.State.ACTIVE else self.gold.get_state_display()


def answer_rows(results: Iterable[Result], names: LabelNames) -> Iterator[AnswerRow]:
    for result in results:
        item, text = result.item, result.item.gold.text
        expected = [
            (str(AXIS_NAMES[axis]), names.name(axis, getattr(item, axis)), getattr(result, f"{axis}_right"))
            for axis in AXES
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
    """Of failures that occur."""
    if contender.figures:
        return list(contender.figures["failures"])
    failures = contender.results.exclude(failure="").order_by("failure")
    return list(failures.values_list("failure", flat=True).distinct())
