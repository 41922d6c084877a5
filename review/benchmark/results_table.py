"""A finished run: its contenders beside each other, and what can be said of each two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from django.db.models import Count

from review.benchmark import baseline, leaked_examples
from review.benchmark.baseline import RIGHT, Change
from review.benchmark.formatting import Gated, Macro, Names, Share, contenders_of, gate_threshold, passed_at
from review.benchmark.metrics import AXES
from review.benchmark.pairwise import Told, comparison, told
from review.models import Contender, Result, Run
from review.stats import charts, paired_tests
from review.stats.calibration import ThresholdOutcome
from review.stats.intervals import Estimate


@dataclass(frozen=True, slots=True)
class Row:
    """A contender of a finished run beside the others."""

    contender: Contender
    figures: Any
    gated: Gated
    macro: tuple[Macro, ...]
    change: Change | None
    best: bool
    whisker: charts.Whisker | None

    @property
    def both(self) -> Share:
        return Share.of(self.figures["both"])

    @property
    def axes(self) -> list[Share]:
        return [Share.of(self.figures[axis]) for axis in AXES]

    @property
    def failed(self) -> int:
        return int(self.figures["n"] - self.figures["answered"])

    @property
    def failures(self) -> list[tuple[str, int]]:
        return list(self.figures["failures"].items())


class Board:
    """A finished run: its contenders beside each other, the best first, and what can be said of each two."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.threshold = gate_threshold()
        self.baseline = baseline.current()
        self._contenders = contenders_of(run)
        passed = _passed(self._contenders, self.threshold)
        changes = baseline.changes(self._contenders, self.baseline)
        names, best = Names(run), self._best()
        self.span = charts.span([Estimate(*one.figures["both"]) for one in self._contenders])
        self.rows = sorted(
            (
                Row(
                    contender=one,
                    figures=one.figures,
                    gated=Gated(passed[one.pk]),
                    macro=tuple(names.macro(axis, one.figures["axes"][axis]["macro_f1"]) for axis in AXES),
                    change=changes.get(one.pk),
                    best=one.pk in best,
                    whisker=charts.whisker(Estimate(*one.figures["both"]), *self.span),
                )
                for one in self._contenders
            ),
            key=lambda row: -(row.figures["both"][0] or 0),
        )

    def _best(self) -> set[int]:
        accuracies = {one.pk: float(one.figures["both"][0] or 0) for one in self._contenders}
        comparisons = {(one["one"], one["other"]): comparison(one) for one in self.run.comparisons}
        return paired_tests.indistinguishable_from_best(accuracies, comparisons)

    @property
    def best(self) -> list[Row]:
        return [row for row in self.rows if row.best]

    @cached_property
    def pairs(self) -> list[Told]:
        """With the first one first, then as the contenders stand."""
        kept = {frozenset((one["one"], one["other"])): one for one in self.run.comparisons}
        found = (kept.get(frozenset((a.contender.pk, b.contender.pk))) for a, b in combinations(self.rows, 2))
        names = {one.pk: str(one) for one in self._contenders}
        return [told(one, names, len(kept)) for one in found if one]

    @property
    def first_pairs(self) -> list[Told]:
        return self.pairs[: len(self.rows) - 1]

    @property
    def other_pairs(self) -> list[Told]:
        return self.pairs[len(self.rows) - 1 :]

    @cached_property
    def given_away(self) -> list[str]:
        """Which contracts show models what they are measured by, in sentences."""
        return leaked_examples.sentences(self.run.snapshot, {one.contract: one.label for one in self._contenders})

    @property
    def cost(self) -> float:
        return sum(float(row.figures["cost"]) for row in self.rows)

    @property
    def unsteady(self) -> list[str]:
        """Classes of too few items for a figure of their own."""
        return list(dict.fromkeys(name for row in self.rows[:1] for macro in row.macro for name in macro.unknown))


def _passed(contenders: Sequence[Contender], threshold: float) -> dict[int, ThresholdOutcome]:
    """By contender, what the threshold lets pass: off the kept grid, or counted where it lies between its steps."""
    step = _step(threshold)
    if step is None:
        counted = _counted(contenders, threshold)
    else:
        kept = ((one.pk, one.figures["confidence"]) for one in contenders)
        counted = {pk: (curve["accepted"][step], curve["wrong"][step]) for pk, curve in kept}
    return {one.pk: passed_at(threshold, one.figures["n"], *counted.get(one.pk, (0, 0))) for one in contenders}


def _step(threshold: float) -> int | None:
    """The place on the kept grid, which has a step for each hundredth; None between two."""
    step = round(100 * threshold)
    return step if step / 100 == threshold else None


def _counted(contenders: Sequence[Contender], threshold: float) -> dict[int, tuple[int, int]]:
    rows = Result.objects.filter(contender__in=contenders, confidence__gte=threshold).order_by()
    counts = rows.values_list("contender").annotate(passed=Count("pk"), wrong=Count("pk", filter=~RIGHT))
    return {contender: (accepted, wrong) for contender, accepted, wrong in counts}
