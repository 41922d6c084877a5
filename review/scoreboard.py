"""A comparison as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_COLUMNS = (
    "model",
    "both right",
    "category",
    "sentiment",
    "macro-F1",
    "Brier",
    "AUROC",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "cost/1,000",
    "failed",
)


def lines(
    figures: Mapping[str, Any], *, comparisons: Sequence[Any] = (), names: Mapping[int, str] = {}
) -> Iterator[str]:
    """A table of the contenders, then what can be said of each two of them."""
    rows = [_COLUMNS, *(_row(name, one) for name, one in figures.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for one in comparisons:
        yield _verdict(one, names)


def _row(name: str, figures: Any) -> tuple[str, ...]:
    confidence, latency = figures["confidence"], figures["latency"]
    return (
        name,
        *(_share(figures[what]) for what in ("both", "category", "sentiment")),
        _number(figures["axes"]["category"]["macro_f1"]["value"], 3),
        _number(confidence["brier"], 3),
        _number(confidence["auroc"], 3),
        *(_number(latency[point], 0) for point in ("p50", "p95", "p99")),
        _number(figures["cost_per_1000"], 4),
        str(figures["n"] - figures["answered"]),
    )


def _share(estimate: Sequence[Any]) -> str:
    share, low, high, _n = estimate
    return "unknown" if share is None else f"{share:.3f} ({low:.3f} to {high:.3f})"


def _number(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _verdict(compared: Any, names: Mapping[int, str]) -> str:
    one, other = names[compared["one"]], names[compared["other"]]
    counts = f"{compared['only_one']} right by the first alone, {compared['only_other']} by the second"
    if compared["verdict"] == "untold":
        more = f": about {max(compared['needed'] - compared['n'], 1)} more needed" if compared["needed"] else ""
        return f"{one} and {other} cannot be told apart on these {compared['n']} items{more} ({counts})"
    better, worse = (one, other) if compared["verdict"] == "better" else (other, one)
    return f"{better} is better than {worse} (p={compared['adjusted']:.2g} after Holm; {counts})"
