"""Results of a finished run: its contenders side by side, and their pairwise comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from django.db.models import Count

from review.benchmark import baseline, leaked_examples
from review.benchmark.baseline import RIGHT, BaselineChange
from review.benchmark.formatting import (
    GateOutcome,
    LabelNames,
    MacroF1,
    Share,
    auto_accepted_at,
    contenders_with_names,
    gate_threshold,
)
from review.benchmark.metrics import AXES
from review.benchmark.pairwise import PairVerdict, pair_verdict, restore_comparison
from review.models import Contender, Result, Run
from review.stats import charts, paired_tests
from review.stats.calibration import ThresholdOutcome
from review.stats.intervals import Estimate


@dataclass(frozen=True, slots=True)
class ContenderRow:
    """A contender's row in the results of a finished run."""

    contender: Contender
    figures: Any
    gated: GateOutcome
    macro: tuple[MacroF1, ...]
    change: BaselineChange | None
    best: bool
    whisker: charts.Whisker | None

    @property
    def both(self) -> Share:
        return Share.from_list(self.figures["both"])

    @property
    def axes(self) -> list[Share]:
        return [Share.from_list(self.figures[axis]) for axis in AXES]

    @property
    def failed(self) -> int:
        return int(self.figures["n"] - self.figures["answered"])

    @property
    def failures(self) -> list[tuple[str, int]]:
        return list(self.figures["failures"].items())


class ResultsTable:
    """The contenders of a finished run, best first, and their pairwise comparisons."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.threshold = gate_threshold()
        self.baseline = baseline.current()
        self._contenders = contenders_with_names(run)
        passed = _auto_accepted(self._contenders, self.threshold)
        changes = baseline.compare_to_baseline(self._contenders, self.baseline)
        names, best = LabelNames(run), self._best()
        self.span = charts.span([Estimate(*contender.figures["both"]) for contender in self._contenders])
        self.rows = sorted(
            (
                ContenderRow(
                    contender=contender,
                    figures=contender.figures,
                    gated=GateOutcome(passed[contender.pk]),
                    macro=tuple(names.macro(axis, contender.figures["axes"][axis]["macro_f1"]) for axis in AXES),
                    change=changes.get(contender.pk),
                    best=contender.pk in best,
                    whisker=charts.whisker(Estimate(*contender.figures["both"]), *self.span),
                )
                for contender in self._contenders
            ),
            key=lambda row: -(row.figures["both"][0] or 0),
        )

    def _best(self) -> set[int]:
        accuracies = {contender.pk: float(contender.figures["both"][0] or 0) for contender in self._contenders}
        comparisons = {(pair["first"], pair["second"]): restore_comparison(pair) for pair in self.run.comparisons}
        return paired_tests.indistinguishable_from_best(accuracies, comparisons)

    @property
    def best(self) -> list[ContenderRow]:
        return [row for row in self.rows if row.best]

    @cached_property
    def pairs(self) -> list[PairVerdict]:
        """Comparisons with the best contender first, then in the order of the rows."""
        stored = {frozenset((pair["first"], pair["second"])): pair for pair in self.run.comparisons}
        ordered = (stored.get(frozenset((a.contender.pk, b.contender.pk))) for a, b in combinations(self.rows, 2))
        names = {contender.pk: str(contender) for contender in self._contenders}
        return [pair_verdict(pair, names, len(stored)) for pair in ordered if pair]

    @property
    def first_pairs(self) -> list[PairVerdict]:
        return self.pairs[: len(self.rows) - 1]

    @property
    def other_pairs(self) -> list[PairVerdict]:
        return self.pairs[len(self.rows) - 1 :]

    @cached_property
    def leak_warnings(self) -> list[str]:
        """One sentence for each contract whose examples contain benchmark texts."""
        return leaked_examples.leak_warnings(
            self.run.snapshot, {contender.contract: contender.label for contender in self._contenders}
        )

    @property
    def cost(self) -> float:
        return sum(float(row.figures["cost"]) for row in self.rows)

    @property
    def unsteady(self) -> list[str]:
        """Classes with too few items for their own figures."""
        return list(dict.fromkeys(name for row in self.rows[:1] for macro in row.macro for name in macro.unknown))


def _auto_accepted(contenders: Sequence[Contender], threshold: float) -> dict[int, ThresholdOutcome]:
    """By contender, what the threshold auto-accepts: from the stored grid, or counted if it lies between two steps."""
    step = _step(threshold)
    if step is None:
        counted = _counted(contenders, threshold)
    else:
        curves = ((contender.pk, contender.figures["confidence"]) for contender in contenders)
        counted = {pk: (curve["accepted"][step], curve["wrong"][step]) for pk, curve in curves}
    return {
        contender.pk: auto_accepted_at(threshold, contender.figures["n"], *counted.get(contender.pk, (0, 0)))
        for contender in contenders
    }


def _step(threshold: float) -> int | None:
    """The threshold's place on the stored grid of hundredths; None if it lies between two steps."""
    step = round(100 * threshold)
    return step if step / 100 == threshold else None


def _counted(contenders: Sequence[Contender], threshold: float) -> dict[int, tuple[int, int]]:
    rows = Result.objects.filter(contender__in=contenders, confidence__gte=threshold).order_by()
    counts = rows.values_list("contender").annotate(passed=Count("pk"), wrong=Count("pk", filter=~RIGHT))
    return {contender: (accepted, wrong) for contender, accepted, wrong in counts}
