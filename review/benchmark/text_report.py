"""Benchmark results as plain text for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from review.benchmark import baseline, metrics, pairwise
from review.benchmark.metrics import AXES
from review.benchmark.population import Population
from review.models import Contender
from review.stats.intervals import Estimate

MOST_CONFUSED = 20

_POPULATION_SENTENCES = {
    Population.ALL: "Figures stand for all tickets: items drawn at random, weighted by their probability.",
    Population.HELD: "Held tickets only: items from tickets that needed review, which are harder than the rest.",
    Population.GIVEN: "Figures stand for the imported or built-in labels that they come from.",
}


class ReportContext(NamedTuple):
    """The gate's threshold, label names by axis and key, and the name of the pinned baseline, if any."""

    threshold: float
    labels: Mapping[str, Mapping[int, str]]
    baseline: str = ""


class ReportRow(NamedTuple):
    """A contender's name, its figures, and what changed since the baseline, in words."""

    name: str
    figures: Any
    change: str = ""


def lines(rows: Mapping[int, ReportRow], setting: ReportContext, comparisons: Sequence[Any] = ()) -> Iterator[str]:
    """Yield the tables of contenders, their pairwise comparisons, and what each of them confuses.

    Comparisons refer to contenders by the keys of `rows`.
    """
    yield from _table("model", [(row.name, _accuracy_columns(row, setting.baseline)) for row in rows.values()])
    yield from _table(
        "model", [(row.name, _confidence_columns(row.figures, setting.threshold)) for row in rows.values()]
    )
    yield from _table("model", [(row.name, _cost_columns(row.figures)) for row in rows.values()])
    yield _POPULATION_SENTENCES[next(iter(rows.values())).figures["population"]]
    yield ""
    names = {key: row.name for key, row in rows.items()}
    for comparison in comparisons:
        yield from _pair_lines(pairwise.pair_verdict(comparison, names, len(comparisons)))
    if comparisons:
        yield "Differences are first minus second, in percentage points, with 95% intervals."
        yield ""
    for row in rows.values():
        yield from _confused_lines(row.name, row.figures, setting.labels)


def describe_changes(contenders: Sequence[Contender], pinned: Contender | None) -> dict[int, str]:
    """By contender key, what was fixed and broken since the pinned baseline; empty if none is pinned."""
    if pinned is None:
        return {}
    changes = baseline.compare_to_baseline(contenders, pinned)
    words = {key: f"{change.fixed} fixed, {change.broken} broken of {change.common}" for key, change in changes.items()}
    return {contender.pk: words.get(contender.pk, "no item in common") for contender in contenders} | {
        pinned.pk: "is the baseline"
    }


def _table(first: str, rows: Sequence[tuple[str, Mapping[str, str]]]) -> Iterator[str]:
    header = [first, *rows[0][1]]
    cells = [header, *([name, *values.values()] for name, values in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""


def _accuracy_columns(row: ReportRow, pinned: str) -> dict[str, str]:
    figures = row.figures
    keys = {"both right": "both"} | {axis: axis for axis in AXES}
    shares = {column: _share(Estimate(*figures[key])) for column, key in keys.items()}
    macro = {f"macro-F1 {axis}": _macro_f1(figures["axes"][axis]["macro_f1"]) for axis in AXES}
    return shares | macro | ({f"against {pinned}": row.change} if pinned else {})


def _confidence_columns(figures: Any, threshold: float) -> dict[str, str]:
    # The figures have a step for each hundredth; a threshold between two steps counts as the stricter one.
    passed = metrics.outcome_at(figures, min(ceil(round(100 * threshold, 9)), 100))
    return {name: _number(figures["confidence"][name.lower()], 3) for name in ("Brier", "AUROC", "ECE", "AURC")} | {
        f"auto-accepted at {passed.threshold:.2f}": f"{passed.accepted} of {passed.n}",
        "right among these": _share(passed.risk.complement()),
    }


def _cost_columns(figures: Any) -> dict[str, str]:
    failures = ", ".join(f"{kind} {number}" for kind, number in figures["failures"].items())
    return {
        **{f"{point} ms": _number(figures["latency"][point], 0) for point in ("p50", "p95", "p99")},
        "cost": _number(figures["cost"], 4),
        "cost/1,000": _number(figures["cost_per_1000"], 4),
        "failed": failures or "none",
    }


def _pair_lines(pair: pairwise.PairVerdict) -> Iterator[str]:
    yield f"{pair.text} {pair.only_first} right by the first alone, {pair.only_second} by the second"
    macro = (f"macro-F1 {axis} {_points(difference)}" for axis, difference in zip(AXES, pair.macro, strict=True))
    figures = f"p={pair.p:.2g}, {pair.adjusted:.2g} after Holm; difference {_points(pair.difference)}"
    yield f"  {'; '.join([figures, *macro])}"


def _points(difference: Estimate) -> str:
    value, low, high = difference.estimate, difference.low, difference.high
    if value is None:
        return "unknown"
    interval = "(interval unknown)" if low is None or high is None else f"({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f} {interval}"


def _confused_lines(name: str, figures: Any, labels: Mapping[str, Mapping[int, str]]) -> Iterator[str]:
    for axis in AXES:
        if confused := _confused(figures["axes"][axis]["confusion"], labels[axis]):
            yield f"{name}, {axis} mixed up (expected -> answered): {'; '.join(confused)}"


def _confused(pairs: Sequence[Sequence[Any]], labels: Mapping[int, str]) -> list[str]:
    wrong = sorted((pair for pair in pairs if pair[0] != pair[1]), key=lambda pair: -pair[2])
    return [
        f"{_name(pk, labels)} -> {_name(answered, labels)}: {number}" for pk, answered, number in wrong[:MOST_CONFUSED]
    ]


def _name(pk: int | None, labels: Mapping[int, str]) -> str:
    return "none of these" if pk is None else labels.get(pk, f"#{pk}")


def _macro_f1(macro: Mapping[str, Any]) -> str:
    few = f", {len(macro['unknown'])} unknown" if macro["unknown"] else ""
    return f"{_number(macro['value'], 3)} ({macro['known']} classes{few})"


def _share(figure: Estimate) -> str:
    if figure.estimate is None:
        return "unknown"
    return f"{figure.estimate:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _number(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"
