"""Cost and validity of certified auto-accept, compared with other ways to choose a threshold.

Streams of tickets go through the product's scorer, audits and sequential test, with reviewers who may err. The gate's
policy is replayed without a database; audits are answered before the next tickets arrive. A new scorer is deployed if
the held-out audits certify as much with it as with the live one. Second model families that learn are trained on
messages outside the pool, the same for all streams.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from bench.harness import fresh_installation, table
from bench.streams import HISTORY, MARKS, Bools, Floats, Ints, Pool, noise, prepared
from classifier.scoring.scorer import ScorerWeights, fit
from review.certification.sequential_test import (
    DrawBatch,
    SequentialTest,
    audit_share,
    risk_for_attempt,
    threshold_grid,
)
from review.stats.intervals import wilson

ERROR, RISK = 0.03, 0.05
JUST_ABOVE = 0.0302
EARLY, LATE, REJUDGED = 0.3, 0.05, 0.1
"""The product's default audit shares, and its share of double checks."""
FIRST, TAIL, STEADY = 10_000, 2_000, 5_000
"""Tickets over which effort is measured: the first ones, the last of those, and the last of a long stream."""
LONG = 6 * FIRST
AUDITED_BY_OTHERS, LOOKS, FIXED = 1_000, 100, 0.85


def upper(wrong: int, audits: int, risk: float) -> float:
    """The upper bound of the error rate for a single look (Clopper-Pearson)."""
    return 1.0 if wrong >= audits else float(beta.ppf(1 - risk, wrong + 1, audits - wrong))


class Reviewers(NamedTuple):
    """Reviewers who are wrong with probability `error`, always to the same wrong label, and who accept a wrong
    suggestion with probability `pull` if they see one.
    """

    error: float = 0.0
    pull: float = 0.0

    def blind(self, wrong: Bools, rng: np.random.Generator) -> tuple[Bools, Ints]:
        """The settled findings after double checks, and the number of further judgements."""
        labels = wrong ^ (rng.random((3, len(wrong))) < self.error)
        twice = labels[0] | (rng.random(len(wrong)) < REJUDGED)
        thrice = twice & (labels[0] != labels[1])
        return np.where(thrice, labels[2], labels[0]), twice.astype(np.int64) + thrice

    def shown(self, wrong: Bools, rng: np.random.Generator) -> Bools:
        return (wrong ^ (rng.random(len(wrong)) < self.error)) & (rng.random(len(wrong)) >= self.pull)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`pools` are the same messages as the second family sees them at first and after each of MARKS; `learns` says
    whether a new scorer is fitted then.
    """

    name: str
    pools: Sequence[Pool]
    tickets: int = LONG
    learns: bool = True
    reviewers: Reviewers = Reviewers()


@dataclass(slots=True, kw_only=True)
class LiveScorer:
    """A live scorer: its scores of the pool, its test, and the true error rate at each threshold."""

    pool: Pool
    values: Floats
    test: SequentialTest
    coverage: Sequence[float]
    risks: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.risks = np.array([self.pool.risk(self.values, threshold) for threshold in self.test.grid])

    @classmethod
    def deployed(cls, pool: Pool, weights: ScorerWeights, history: Ints, risk: float) -> "LiveScorer":
        values = pool.values(weights)
        grid, coverage = threshold_grid(values[history].tolist())
        return cls(pool=pool, values=values, test=SequentialTest.start(grid, ERROR, risk), coverage=coverage)

    @property
    def threshold(self) -> float:
        return np.inf if self.test.threshold is None else self.test.threshold

    @property
    def audits_from(self) -> float:
        from review.certification.certificates import FRONTIER

        return float(self.test.grid[min((self.test.certified or 1) - 1 + FRONTIER, len(self.test.grid) - 1)])

    @property
    def is_false(self) -> bool:
        return bool((self.risks[: self.test.certified] > ERROR).any())


class Stream:
    """Tickets in order: whether each is wrong, what reviewers find, and its state so far."""

    def __init__(self, setting: Setting, seed: int) -> None:
        rng = np.random.default_rng(seed)
        size, count = len(setting.pools[0].answer), setting.tickets
        self.setting = setting
        self.history, self.rows = rng.integers(0, size, HISTORY), rng.integers(0, size, count)
        self.wrong = rng.random(count) < setting.pools[0].chance[self.rows]
        self.found, self.further = setting.reviewers.blind(self.wrong, rng)
        self.seen = setting.reviewers.shown(self.wrong, rng)
        self.lottery = rng.random(count)
        self.accepted, self.audited, self.held_out = (np.zeros(count, bool) for _each in range(3))
        self.live = LiveScorer.deployed(setting.pools[0], ScorerWeights.built_in(), self.history, RISK)
        self.is_false = False
        self.attempts = 0
        self.first: int | None = None
        self.reached: dict[int, tuple[float, float]] = {}
        """By number of tickets, the certified coverage of the pool and the oracle's with that scorer."""

    @property
    def labelled(self) -> Bools:
        return ~self.accepted | self.audited

    def run(self) -> "Stream":
        for start, stop in steps(len(self.rows)):
            self._come(slice(start, stop))
            due = self.setting.learns and self.attempts < len(MARKS)
            if due and self._learnable(stop).sum() >= MARKS[self.attempts]:
                self._learn(stop)
            self.is_false |= self.live.is_false
            if self.first is None and self.live.test.certified:
                self.first = self._first(stop)
            if stop in (FIRST, len(self.rows)):
                self.reached[stop] = self._coverage()
        return self

    def _come(self, turn: slice) -> None:
        """Judge and draw the tickets, audit those drawn, and update the test."""
        from review.models.certification import HELD_OUT_SHARE

        live = self.live
        value = live.values[self.rows[turn]]
        floor = np.full(len(value), audit_share(turn.start, EARLY, LATE))
        accepted = value >= live.threshold
        share = np.where(~accepted & (value >= live.audits_from), 1.0, floor)
        audited = self.lottery[turn] < share
        self.accepted[turn], self.audited[turn] = accepted, audited
        self.held_out[turn] = self.lottery[turn] < np.minimum(floor, HELD_OUT_SHARE)
        fully_audited = np.full(len(value), np.inf if live.test.certified else live.audits_from)
        live.test.add(DrawBatch(value, share, floor, fully_audited, audited, self.found[turn]))

    def _learnable(self, now: int) -> Bools:
        return self.labelled[:now] & ~self.held_out[:now]

    def _learn(self, now: int) -> None:
        """Fit a new scorer, and deploy it if the held-out audits certify as much with it."""
        from review.certification.scorer_training import Progress

        self.attempts += 1
        pool = self.setting.pools[min(self.attempts, len(self.setting.pools) - 1)]
        learnable, held_out = np.flatnonzero(self._learnable(now)), np.flatnonzero(self.held_out[:now])
        wrong = np.where(self.audited, self.found, self.seen)
        weights = fit(pool.judged(self.rows[learnable], wrong[learnable]))
        recent = self.rows[np.flatnonzero(~self.held_out[:now])[-HISTORY:]]
        live = LiveScorer.deployed(pool, weights, recent, risk_for_attempt(RISK, self.attempts))
        live.test.add(DrawBatch.audits(live.values[self.rows[held_out]].tolist(), self.found[held_out].tolist()))
        if Progress.from_test(live.test, live.coverage) >= Progress.from_test(self.live.test, self.live.coverage):
            self.live = live

    def _first(self, now: int) -> int:
        """Labels given until the first certificate; without one people label every ticket."""
        reached = self.live.test.reached[0]
        return reached if reached and not self.attempts else int(self.labelled[:now].sum())

    def _coverage(self) -> tuple[float, float]:
        values = self.live.values
        best = self.live.pool.furthest(values, ERROR)
        return float((values >= self.live.threshold).mean()), float((values >= best).mean())


def steps(tickets: int) -> Iterator[tuple[int, int]]:
    """Ranges of tickets between two updates of the test."""
    start = 0
    while start < tickets:
        stop = min(start + (25 if start < 2_000 else 100 if start < FIRST else 500), tickets)
        yield start, stop
        start = stop


# --- other methods ----------------------------------------------------------------------------------------------


def others(stream: Stream) -> dict[str, bool]:
    """Whether other methods exceed the error limit on the same tickets; they audit a fixed share of all."""
    pool = stream.setting.pools[0]
    live = LiveScorer.deployed(pool, ScorerWeights.built_in(), stream.history, RISK)
    audited = np.flatnonzero(stream.lottery < EARLY)
    values, wrong_found = live.values[stream.rows[audited]], stream.found[audited]
    looks = np.linspace(0, len(audited), LOOKS + 1).astype(int)[1:]
    place = plugged_in(values[:AUDITED_BY_OTHERS], wrong_found[:AUDITED_BY_OTHERS], live.test.grid)
    return {
        "plug-in": place is not None and bool(live.risks[place] > ERROR),
        "peeked": bool((live.risks[: peeked(values, wrong_found, live.test.grid, looks)] > ERROR).any()),
        "fixed": pool.risk(pool.confidence, FIXED) > ERROR,
    }


def plugged_in(values: Floats, wrong_found: Bools, grid: Floats) -> int | None:
    """The laxest threshold at which the audited error rate is within the limit."""
    good = [place for place, threshold in enumerate(grid) if wrong_found[values >= threshold].mean() <= ERROR]
    return good[-1] if good else None


def peeked(values: Floats, wrong_found: Bools, grid: Floats, looks: Ints) -> int:
    """How many thresholds, in order, ever had a single-look bound within the limit."""
    for place, threshold in enumerate(grid):
        counts = values >= threshold
        audits, wrong = np.cumsum(counts)[looks - 1], np.cumsum(counts & wrong_found)[looks - 1]
        if not any(upper(int(k), int(n), RISK) <= ERROR for k, n in zip(wrong, audits, strict=True)):
            return place
    return len(grid)


# --- tables ------------------------------------------------------------------------------------------------------


def settings_of(pools: dict[str, Pool]) -> list[Setting]:
    def learning(name: str) -> list[Pool]:
        return [pools[name], *(pools[f"{name} {mark}"] for mark in MARKS)]

    past = [pools["past"]]
    return [
        Setting(name="worst case", pools=[noise(JUST_ABOVE, 0)], learns=False),
        Setting(name="worst case, learns", pools=[noise(JUST_ABOVE, seed) for seed in range(4)]),
        Setting(name="a: specialist of the past", pools=past),
        Setting(name="b: TF-IDF alone", pools=[pools["words"]]),
        Setting(name="c: strong pair", pools=[pools["strong"]]),
        Setting(name="d: as a, and learns", pools=learning("past")),
        Setting(name="e: learns from nothing", pools=learning("new")),
        Setting(name="a, 3% errors", pools=past, tickets=FIRST, reviewers=Reviewers(0.03)),
        Setting(name="a, half pulled", pools=past, tickets=FIRST, reviewers=Reviewers(0.0, 0.5)),
        Setting(name="a, 3% and half", pools=past, tickets=FIRST, reviewers=Reviewers(0.03, 0.5)),
    ]


SETTINGS: list[Setting] = []


def measured(task: tuple[int, int]) -> dict[str, float]:
    """The figures of one stream, given the number of its setting and its seed."""
    setting, seed = task
    stream = Stream(SETTINGS[setting], seed).run()
    passed = stream.accepted & ~stream.audited
    covered, best = stream.reached[FIRST]
    last, best_last = stream.reached[len(stream.rows)]
    return {
        "setting": setting,
        "first": np.inf if stream.first is None else stream.first,
        "coverage": covered,
        "oracle": best,
        "late coverage": last,
        "late oracle": best_last,
        "review_share": stream.labelled[:FIRST].mean(),
        "again": (stream.further * stream.audited)[:FIRST].mean(),
        "tail": stream.labelled[FIRST - TAIL : FIRST].mean(),
        "steady": stream.labelled[-STEADY:].mean(),
        "risk": stream.wrong[passed].mean() if passed.any() else np.nan,
        "ours": stream.is_false,
        **others(stream),
    }


def main(file: Path, streams: int, processes: int, answers: Path | None, only: list[str]) -> None:
    fresh_installation()
    begun = time.perf_counter()
    pools = prepared(file, answers)
    SETTINGS.extend(setting for setting in settings_of(pools) if setting.name.startswith(tuple(only)))
    for name, pool in pools.items():
        print(f"{name}: {len(pool.answer)} messages, first model right in {1 - pool.chance.mean():.1%}")
    print(f"answered in {time.perf_counter() - begun:.0f} s")
    tasks = [(setting, seed) for setting in range(len(SETTINGS)) for seed in range(streams)]
    with get_context("fork").Pool(processes) as workers:
        figures = workers.map(measured, tasks, chunksize=5)
    show([[figure for figure in figures if figure["setting"] == setting] for setting in range(len(SETTINGS))])
    print(f"\n{streams} streams a setting, seeds 0 to {streams - 1}; {time.perf_counter() - begun:.0f} s")


def show(runs: Sequence[Sequence[dict[str, float]]]) -> None:
    names = [setting.name for setting in SETTINGS]
    methods = ("ours", "plug-in", "peeked", "fixed")
    table(
        f"streams with a false certificate, of {len(runs[0])}, and 95% intervals",
        ["setting", "ours", f"plug-in, {AUDITED_BY_OTHERS} audits", f"bound looked at {LOOKS} times", f"fixed {FIXED}"],
        [
            [name, *(_share([figures[method] for figures in run]) for method in methods)]
            for name, run in zip(names, runs, strict=True)
        ],
    )
    table(
        f"what it takes; coverage and effort over the first {FIRST} tickets",
        [
            "setting",
            "first at labels",
            "80%",
            "coverage",
            "of oracle's",
            "review_share",
            "judged again",
            f"last {TAIL}",
            "steady",
            "coverage then",
            "of oracle's",
            "risk",
        ],
        [[name, *_costs(run)] for name, run in zip(names, runs, strict=True)],
    )


def _share(flags: Sequence[float]) -> str:
    low, high = wilson(sum(flags), len(flags))
    return f"{np.mean(flags):.1%} ({low:.1%} to {high:.1%})"


def _costs(run: Sequence[dict[str, float]]) -> Iterator[str]:
    by_name = {name: np.array([figures[name] for figures in run]) for name in run[0]}
    yield from (f"{np.quantile(by_name['first'], share, method='higher'):.0f}" for share in (0.5, 0.8))
    yield from (f"{by_name['coverage'].mean():.1%}", _ratio(by_name["coverage"], by_name["oracle"]))
    yield from (f"{by_name[name].mean():.1%}" for name in ("review_share", "again", "tail", "steady"))
    yield from (f"{by_name['late coverage'].mean():.1%}", _ratio(by_name["late coverage"], by_name["late oracle"]))
    yield f"{np.nanmean(by_name['risk']):.2%}"


def _ratio(covered: Floats, best: Floats) -> str:
    return f"{(covered / best).mean():.0%}" if (best > 0).all() else "-"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with id, text, category and split")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--answers", type=Path, help="file that stores the models' answers between runs")
    parser.add_argument("--only", nargs="*", default=[""], help="settings whose names begin like this")
    main(**vars(parser.parse_args()))
