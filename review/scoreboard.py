"""A comparison as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from .agreement import share
from .scores import AXES

MOST_CONFUSED = 5
COVERAGE_STEPS = (0, 50, 60, 70, 80, 90, 95)
"""Hundredths of confidence at which the risk is told."""


class Setting(NamedTuple):
    """What the figures are read with: the gate's threshold, and the names of labels by axis and key."""

    threshold: float
    labels: Mapping[str, Mapping[int, str]]


def lines(
    figures: Mapping[str, Any],
    setting: Setting,
    *,
    comparisons: Sequence[Any] = (),
    names: Mapping[int, str] = {},
) -> Iterator[str]:
    """Tables of the contenders beside each other, what can be said of each two, and what each of them mixes up."""
    yield from _table("model", [(name, _right(one)) for name, one in figures.items()])
    yield from _table("model", [(name, _confidence(one, setting.threshold)) for name, one in figures.items()])
    yield from _table("model", [(name, _expense(one)) for name, one in figures.items()])
    for one in comparisons:
        yield _verdict(one, names)
    for name, one in figures.items():
        yield from _details(name, one, setting)


def _table(first: str, rows: Sequence[tuple[str, Mapping[str, str]]]) -> Iterator[str]:
    header = [first, *rows[0][1]]
    cells = [header, *([name, *values.values()] for name, values in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""


def _right(figures: Any) -> dict[str, str]:
    shares = {what: _share(figures[key]) for what, key in (("both right", "both"), *((axis, axis) for axis in AXES))}
    return shares | {f"macro-F1 {axis}": _macro(figures["axes"][axis]["macro_f1"]) for axis in AXES}


def _confidence(figures: Any, threshold: float) -> dict[str, str]:
    confidence = figures["confidence"]
    # The grid has a step for each hundredth, and a threshold between two is taken for the stricter one.
    step = min(ceil(round(100 * threshold, 9)), 100)
    passed, wrong = confidence["accepted"][step], confidence["wrong"][step]
    right = share(passed - wrong, passed)
    return {name: _number(confidence[name.lower()], 3) for name in ("Brier", "AUROC", "ECE", "AURC")} | {
        f"pass unseen at {step / 100:.2f}": f"{passed} of {figures['n']}",
        "right among these": _share([right.estimate, right.low, right.high, right.n]),
    }


def _expense(figures: Any) -> dict[str, str]:
    failures = ", ".join(f"{kind} {number}" for kind, number in figures["failures"].items())
    return {
        **{f"{point} ms": _number(figures["latency"][point], 0) for point in ("p50", "p95", "p99")},
        "cost": _number(figures["cost"], 4),
        "cost/1,000": _number(figures["cost_per_1000"], 4),
        "failed": failures or "none",
    }


def _details(name: str, figures: Any, setting: Setting) -> Iterator[str]:
    confidence = figures["confidence"]
    bins = (f"{low:.1f}-{high:.1f}: {right:.0%} of {n}" for low, high, n, _mean, right, *_rest in confidence["bins"])
    yield f"{name}, right by confidence: {'; '.join(bins) or 'no answer'}"
    curve = ((step, confidence["accepted"][step], confidence["wrong"][step]) for step in COVERAGE_STEPS)
    passing = (f"{step / 100:.2f}: {passed} ({wrong})" for step, passed, wrong in curve)
    yield f"{name}, passing (wrong) from a confidence of: {'; '.join(passing)}"
    for axis in AXES:
        if confused := _confused(figures["axes"][axis]["confusion"], setting.labels[axis]):
            yield f"{name}, {axis} most often mixed up: {'; '.join(confused)}"


def _confused(pairs: Sequence[Sequence[Any]], labels: Mapping[int, str]) -> list[str]:
    wrong = sorted((pair for pair in pairs if pair[0] != pair[1]), key=lambda pair: -pair[2])
    named = ((labels.get(pk, f"#{pk}"), labels.get(said, "none of these"), number) for pk, said, number in wrong)
    return [f"{expected} taken for {said} ({number})" for expected, said, number in list(named)[:MOST_CONFUSED]]


def _macro(kept: Mapping[str, Any]) -> str:
    few = f", {len(kept['unknown'])} unknown" if kept["unknown"] else ""
    return f"{_number(kept['value'], 3)} ({kept['known']} classes{few})"


def _share(estimate: Sequence[Any]) -> str:
    value, low, high, _n = estimate
    return "unknown" if value is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _number(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _verdict(compared: Any, names: Mapping[int, str]) -> str:
    one, other = names[compared["one"]], names[compared["other"]]
    counts = f"{compared['only_one']} right by the first alone, {compared['only_other']} by the second"
    if compared["verdict"] == "untold":
        more = f": about {max(compared['needed'] - compared['n'], 1)} more needed" if compared["needed"] else ""
        return f"{one} and {other} cannot be told apart on these {compared['n']} items{more} ({counts})"
    better, worse = (one, other) if compared["verdict"] == "better" else (other, one)
    estimate, low, _high, _n = compared["macro_f1"]["category"]
    macro = "" if low is None else f"; macro-F1 of categories differs by {abs(estimate):.3f}"
    return f"{better} is better than {worse} (p={compared['adjusted']:.2g} after Holm; {counts}{macro})"
