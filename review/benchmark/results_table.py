"""Results of a finished run: its contenders side by side, and their pairwise comparisons."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import ceil
from typing import Any

from classifier.models import Gate
from review.benchmark import baseline, leaked_examples, metrics, population
from review.benchmark.baseline import BaselineChange
from review.benchmark.formatting import LabelNames, MacroF1, contenders_with_names
from review.benchmark.metrics import AXES
from review.benchmark.pairwise import PairVerdict, pair_verdict, restore_comparison
from review.models import Contender, Run
from review.stats import charts, paired_tests
from review.stats.calibration import ThresholdOutcome
from review.stats.intervals import Estimate


@dataclass(frozen=True, slots=True)
class ContenderRow:
    """A contender's row in the results of a finished run."""

    contender: Contender
    figures: Any
    both: Estimate
    axes: list[Estimate]
    gated: ThresholdOutcome
    macro: list[MacroF1]
    change: BaselineChange | None
    best: bool
    whisker: charts.Whisker | None

    @property
    def failures(self) -> list[tuple[str, int]]:
        return list(self.figures["failures"].items())


class ResultsTable:
    """The contenders of a finished run, best first, and their pairwise comparisons."""

    FEWEST_DRAWN = population.FEWEST_DRAWN

    def __init__(self, run: Run) -> None:
        self.run = run
        self.baseline = baseline.current()
        # The figures have a step for each hundredth; a threshold between two steps counts as the stricter one.
        self._step = min(ceil(round(100 * Gate.current().threshold, 9)), 100)
        self._contenders = contenders_with_names(run)
        self._changes = baseline.compare_to_baseline(self._contenders, self.baseline)
        self.span = charts.span([Estimate(*contender.figures["both"]) for contender in self._contenders])
        names, best = LabelNames(run), self._best()
        rows = (self._row(contender, names, contender.pk in best) for contender in self._contenders)
        self.rows = sorted(rows, key=lambda row: -(row.both.estimate or 0))

    def _row(self, contender: Contender, names: LabelNames, best: bool) -> ContenderRow:
        figures, both = contender.figures, Estimate(*contender.figures["both"])
        return ContenderRow(
            contender=contender,
            figures=figures,
            both=both,
            axes=[Estimate(*figures[axis]) for axis in AXES],
            gated=metrics.outcome_at(figures, self._step),
            macro=[names.macro(axis, figures["axes"][axis]["macro_f1"]) for axis in AXES],
            change=self._changes.get(contender.pk),
            best=best,
            whisker=charts.whisker(both, *self.span),
        )

    @property
    def offers_threshold(self) -> bool:
        return all(population.offers_threshold(row.figures) for row in self.rows)

    @property
    def threshold(self) -> float:
        return self._step / 100

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
