"""Detailed report on one contender: figures by class, confusion matrix and calibration."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from review.benchmark.formatting import AXIS_NAMES, NO_LABEL, LabelNames
from review.benchmark.metrics import AXES
from review.benchmark.population import FEWEST_DRAWN
from review.models import Contender
from review.stats import charts
from review.stats.calibration import Bin
from review.stats.classification import LEAST
from review.stats.intervals import Estimate

MOST_CLASSES = 30
"""Larger matrices are unreadable; they show only the most confused labels."""

MOST_CONFUSED = 10


class ClassRow(NamedTuple):
    """Precision, recall and F1 of a class; `steady` if it has enough items for reliable figures."""

    pk: int
    name: str
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None

    @property
    def steady(self) -> bool:
        return self.support >= LEAST


class Cell(NamedTuple):
    number: int
    right: bool
    shade: int
    """From 0 to 4, by the share of the expected label's items."""
    query: str
    """The URL query that lists the cell's tickets; empty for a cell of several labels."""


class MatrixRow(NamedTuple):
    name: str
    support: int
    cells: list[Cell]


class Matrix(NamedTuple):
    """`left_out` labels share the last column."""

    columns: list[str]
    rows: list[MatrixRow]
    left_out: int


class ConfusedLabels(NamedTuple):
    expected: str
    answered: str
    number: int
    support: int
    query: str


class AxisReport:
    """A contender's figures on categories or on sentiments."""

    def __init__(self, axis: str, figures: Any, names: LabelNames) -> None:
        self.key, self.name, self._names = axis, AXIS_NAMES[axis], names
        self._figures = figures["axes"][axis]
        self.share = Estimate(*figures[axis])
        self.macro = names.macro(axis, self._figures["macro_f1"])
        self._pairs = {(expected, answered): number for expected, answered, number in self._figures["confusion"]}
        self._support = Counter[int]({answered: 0 for _expected, answered in self._pairs if answered is not None})
        for (expected, _answered), number in self._pairs.items():
            self._support[expected] += number

    @property
    def _order(self) -> list[int]:
        """Labels in taxonomy order, then those it no longer has."""
        place = {pk: number for number, pk in enumerate(self._names.for_axis(self.key))}
        return sorted(self._support, key=lambda pk: (place.get(pk, len(place)), pk))

    @cached_property
    def classes(self) -> list[ClassRow]:
        figures_by_label = {label: figures for label, *figures in self._figures["classes"]}
        listed = (pk for pk in self._order if pk in figures_by_label)
        return [ClassRow(pk, self._names.name(self.key, pk), *figures_by_label[pk]) for pk in listed]

    @cached_property
    def matrix(self) -> Matrix | None:
        """None if no labels were expected."""
        if not self._support:
            return None
        shown = self._most_confused()
        columns: list[int | None] = [*shown]
        if any(answered is None for _expected, answered in self._pairs):
            columns.append(None)
        left_out = len(self._support) - len(shown)
        names = [self._names.name(self.key, pk) for pk in columns] + [_("others")] * bool(left_out)
        rows = [self._row(pk, columns, others=bool(left_out)) for pk in shown if self._support[pk]]
        return Matrix(names, rows, left_out)

    def _most_confused(self) -> list[int]:
        wrong = Counter[int | None]()
        for (expected, answered), number in self._pairs.items():
            if expected != answered:
                wrong.update({expected: number, answered: number})
        chosen = sorted(self._order, key=lambda pk: -wrong[pk])[:MOST_CLASSES]
        return [pk for pk in self._order if pk in chosen]

    def _row(self, expected: int, columns: Sequence[int | None], *, others: bool) -> MatrixRow:
        support = self._support[expected]
        cells = [self._cell(expected, answered, support) for answered in columns]
        if others:
            answers = ((answered, number) for (asked, answered), number in self._pairs.items() if asked == expected)
            number = sum(number for answered, number in answers if answered not in columns)
            cells.append(Cell(number, False, -(-4 * number // support), query=""))
        return MatrixRow(self._names.name(self.key, expected), support, cells)

    def _cell(self, expected: int, answered: int | None, support: int) -> Cell:
        number = self._pairs.get((expected, answered), 0)
        return Cell(number, expected == answered, -(-4 * number // support), self._query(expected, answered))

    def _query(self, expected: int, answered: int | None) -> str:
        return f"{self.key}={expected}&predicted_{self.key}={NO_LABEL if answered is None else answered}"

    @property
    def confused(self) -> list[ConfusedLabels]:
        """The most frequent confusions."""
        wrong = [(number, pair) for pair, number in self._pairs.items() if pair[0] != pair[1]]
        wrong.sort(key=lambda counted: -counted[0])
        return [
            ConfusedLabels(
                self._names.name(self.key, expected),
                self._names.name(self.key, answered),
                number,
                self._support[expected],
                self._query(expected, answered),
            )
            for number, (expected, answered) in wrong[:MOST_CONFUSED]
        ]


class ModelReport:
    """The figures of one contender in full."""

    FEWEST_DRAWN = FEWEST_DRAWN

    def __init__(self, contender: Contender) -> None:
        self.contender, self.figures = contender, contender.figures
        names = LabelNames(contender.run, contender)
        self.axes = [AxisReport(axis, self.figures, names) for axis in AXES]
        self.both = Estimate(*self.figures["both"])
        self.confidence = self.figures["confidence"]
        self.bins = [Bin(*(*bin[:5], Estimate(*bin[5]))) for bin in self.confidence["bins"]]

    @property
    def reliability(self) -> charts.Reliability:
        return charts.reliability(self.bins)

    @property
    def failures(self) -> list[tuple[str, int]]:
        return list(self.figures["failures"].items())
