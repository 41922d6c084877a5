"""Cost and validity of certified auto-accept.

Streams of tickets go through the product's scorer, audits, sequential test, incident guard and watch on errors, with
reviewers who may err. The gate's policy is replayed without a database; audits are answered before the next tickets
arrive. A new scorer is deployed if the held-out audits certify as much with it as with the live one. Second model
families that learn are trained on messages outside the pool, the same for all streams. The drift monitor, which needs
no labels, has a benchmark of its own (`drift.py`) and is off here.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.harness import fresh_installation, table
from bench.streams import (
    HISTORY,
    MARKS,
    Arrivals,
    Bools,
    Floats,
    Ints,
    Pool,
    in_bursts,
    independent,
    noise,
    prepared,
    with_incidents,
)
from classifier.pipeline.cluster import Cluster
from classifier.scoring.scorer import ScorerWeights, fit
from review.certification.drift import QUIET_AUDITS, AuditErrors, exceeds
from review.certification.sequential_test import (
    DrawBatch,
    SequentialTest,
    audit_share,
    risk_for_claim,
    threshold_grid,
)
from review.stats.intervals import wilson

TARGET_ERROR, MISSED, RISK = 0.03, 0.1, 0.05
ERROR = TARGET_ERROR * (1 - MISSED)
"""What is promised, and the share of errors among audits that is tested."""
JUST_ABOVE = 0.0302
EARLY, LATE, REJUDGED = 0.3, 0.03, 0.1
"""The product's default audit shares, and its share of double checks."""
FIRST, STEADY = 10_000, 5_000
"""Tickets over which effort is measured: the first ones, and the last of a long stream."""
LONG = 6 * FIRST
MAX_CLEARING = 1_000


class Reviewers(NamedTuple):
    """Reviewers who make the model's own mistake in the share `repeats` of its errors, each independently, and who are
    wrong otherwise with probability `error`, always to the same wrong label; those who see a wrong suggestion accept it
    with probability `pull`.
    """

    error: float = 0.0
    pull: float = 0.0
    repeats: float = 0.0

    def blind(self, wrong: Bools, rng: np.random.Generator) -> tuple[Bools, Ints]:
        """The settled findings after double checks, and the number of further judgements."""
        labels = wrong ^ (rng.random((3, len(wrong))) < self.error)
        labels &= ~wrong | (rng.random((3, len(wrong))) >= self.repeats)
        twice = labels[0] | (rng.random(len(wrong)) < REJUDGED)
        thrice = twice & (labels[0] != labels[1])
        return np.where(thrice, labels[2], labels[0]), twice.astype(np.int64) + thrice

    def shown(self, wrong: Bools, rng: np.random.Generator) -> Bools:
        return (wrong ^ (rng.random(len(wrong)) < self.error)) & (rng.random(len(wrong)) >= self.pull)


Arrive = Callable[[Pool, int, np.random.Generator], Arrivals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`pools` are the same messages as the second family sees them at first and after each of MARKS; `learns` says
    whether a new scorer is fitted then. Once a certificate is granted, every ticket is wrong with the probability
    `then`, if there is one. `promised` is whether the pool's error rates are those of the stream.
    """

    name: str
    pools: Sequence[Pool]
    arrive: Arrive = independent
    tickets: int = FIRST
    learns: bool = False
    reviewers: Reviewers = Reviewers()
    then: float | None = None
    promised: bool = True


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
    def deployed(cls, pool: Pool, weights: ScorerWeights, history: Ints, claim: int) -> "LiveScorer":
        values = pool.values(weights)
        grid, coverage = threshold_grid(values[history].tolist())
        return cls(
            pool=pool,
            values=values,
            test=SequentialTest.start(grid, ERROR, risk_for_claim(RISK, claim)),
            coverage=coverage,
        )

    @property
    def passes_from(self) -> float:
        return np.inf if self.test.threshold is None else self.test.threshold

    @property
    def is_false(self) -> bool:
        return bool((self.risks[: self.test.certified] > TARGET_ERROR).any())


class Stream:
    """Tickets in order: whether each is wrong, what reviewers find, and its state so far."""

    def __init__(self, setting: Setting, seed: int) -> None:
        rng = np.random.default_rng(seed)
        pool, count = setting.pools[0], setting.tickets
        self.setting, self._rng = setting, rng
        self.history = rng.integers(0, len(pool.answer), HISTORY)
        self.tickets = setting.arrive(pool, count, rng)
        self.lottery, self.wrong, self.in_burst = rng.random(count), self.tickets.wrong, self.tickets.in_burst
        self.found, self.further = setting.reviewers.blind(self.wrong, rng)
        self.seen = setting.reviewers.shown(self.wrong, rng)
        self.accepted, self.audited, self.held_out = (np.zeros(count, bool) for _each in range(3))
        self.reviews: dict[int, Cluster] = defaultdict(Cluster)
        self.live = LiveScorer.deployed(pool, ScorerWeights.built_in(), self.history, 0)
        self.claims, self.fits = 1, 0
        self.watch: AuditErrors | None = None
        self.clearing: SequentialTest | None = None
        self.since_alarm: list[bool] = []
        self.is_false = False
        self.first: int | None = None
        self.changed: int | None = None
        self.stopped: int | None = None

    @property
    def labelled(self) -> Bools:
        return ~self.accepted | self.audited

    @property
    def passed(self) -> Bools:
        return self.accepted & ~self.audited

    def run(self) -> "Stream":
        for start, stop in steps(len(self.lottery)):
            self._come(slice(start, stop))
            if self.setting.learns and self.fits < len(MARKS) and self._learnable(stop).sum() >= MARKS[self.fits]:
                self._learn(stop)
            self.is_false |= self.live.is_false
            if self.first is None and self.live.test.certified:
                self._begin(stop)
        return self

    def _begin(self, now: int) -> None:
        """The first certificate, after which things may change."""
        self.first = int(self.labelled[:now].sum())
        if self.setting.then is not None:
            self.changed = now
            self.wrong[now:] = self.tickets.luck[now:] < self.setting.then
            self.found[now:], self.further[now:] = self.setting.reviewers.blind(self.wrong[now:], self._rng)

    def _come(self, turn: slice) -> None:
        """Judge and draw the tickets, audit those drawn, and update the test and the watch."""
        live = self.live
        value = live.values[self.tickets.rows[turn]]
        passes_from = np.inf if self.clearing else live.passes_from
        usual = audit_share(turn.start, EARLY, LATE)
        floor = np.full(len(value), 1.0 if self.watch and self.watch.detector.is_suspicious else usual)
        accepted, share = value >= passes_from, floor.copy()
        share[~accepted & (value >= live.test.audits_from)] = 1.0
        held = self._guard(turn, accepted, share)
        audited = self.lottery[turn] < share
        self.accepted[turn], self.audited[turn] = accepted, audited
        self.held_out[turn] = self.lottery[turn] < np.minimum(floor, 0.3)
        fully_audited = np.full(len(value), live.test.audits_from if passes_from == np.inf else np.inf)
        draws = DrawBatch(value, share, floor, fully_audited, audited, self.found[turn], self.tickets.repeat[turn])
        draws = draws.select(~held)
        live.test.add(draws)
        if live.test.certified:
            self._check(draws, turn.stop)

    def _guard(self, turn: slice, accepted: Bools, share: Floats) -> Bools:
        """Hold repeats as the product does; reviews are answered at once. Returns which are held."""
        clusters, held = self.tickets.cluster[turn], np.zeros(len(share), bool)
        for place in np.flatnonzero(self.in_burst[turn]):
            at, cluster = turn.start + int(place), int(clusters[place])
            reviews = self.reviews[cluster]
            if reviews.tickets:
                share[place] = max(share[place], reviews.audit_share(share[place]))
                held[place], accepted[place] = reviews.hold, accepted[place] and not reviews.hold
            audited = bool(self.lottery[at] < share[place])
            self.reviews[cluster] = reviews._replace(
                tickets=reviews.tickets + 1,
                right=reviews.right + (audited and not self.found[at]),
                wrong=reviews.wrong + (audited and bool(self.found[at])),
            )
        return held

    def _check(self, draws: DrawBatch, now: int) -> None:
        """Watch the audits of what would pass; raise, clear or confirm an alarm."""
        if self.watch is None:
            self.watch = AuditErrors(ERROR)
        evidence = draws.evidence()
        audits = evidence.wrong[evidence.audited & (evidence.value >= self.live.passes_from)].tolist()
        if self.clearing:
            self.clearing.add(draws)
            self.since_alarm += audits
            if self.clearing.certified:
                self.clearing, self.watch = None, None
            elif exceeds(self.since_alarm, ERROR) or len(self.since_alarm) >= MAX_CLEARING:
                self._revoke()
            return
        for is_wrong in audits:
            self.watch.see(is_wrong)
        if self.watch.detector.change_point(QUIET_AUDITS) is not None:
            self.clearing = SequentialTest.start([self.live.passes_from], ERROR, risk_for_claim(RISK, self.claims))
            self.since_alarm, self.claims = [], self.claims + 1
            self.stopped = self.stopped or now

    def _revoke(self) -> None:
        """Start over with new evidence."""
        test = SequentialTest.start(self.live.test.grid.tolist(), ERROR, risk_for_claim(RISK, self.claims))
        self.live.test, self.claims = test, self.claims + 1
        self.clearing, self.watch = None, None

    def _learnable(self, now: int) -> Bools:
        return self.labelled[:now] & ~self.held_out[:now]

    def _learn(self, now: int) -> None:
        """Fit a new scorer, and deploy it if the held-out audits certify as much with it."""
        from review.certification.scorer_training import Progress

        self.fits += 1
        rows, pool = self.tickets.rows, self.setting.pools[min(self.fits, len(self.setting.pools) - 1)]
        learnable, held_out = np.flatnonzero(self._learnable(now)), np.flatnonzero(self.held_out[:now])
        wrong = np.where(self.audited, self.found, self.seen)
        weights = fit(pool.judged(rows[learnable], wrong[learnable]))
        recent = rows[np.flatnonzero(~self.held_out[:now])[-HISTORY:]]
        live, self.claims = LiveScorer.deployed(pool, weights, recent, self.claims), self.claims + 1
        values, repeat = live.values[rows[held_out]].tolist(), self.tickets.repeat[held_out].tolist()
        live.test.add(DrawBatch.carried(zip(values, self.found[held_out].tolist(), repeat, strict=True)))
        if Progress.from_test(live.test, live.coverage) >= Progress.from_test(self.live.test, self.live.coverage):
            self.live, self.watch, self.clearing = live, None, None


def steps(tickets: int) -> Iterator[tuple[int, int]]:
    """Ranges of tickets between two updates of the test."""
    start = 0
    while start < tickets:
        stop = min(start + (25 if start < 2_000 else 100 if start < FIRST else 500), tickets)
        yield start, stop
        start = stop


# --- tables ------------------------------------------------------------------------------------------------------


def settings_of(pools: dict[str, Pool]) -> list[Setting]:
    def learning(name: str) -> list[Pool]:
        return [pools[name], *(pools[f"{name} {mark}"] for mark in MARKS)]

    past, worst = [pools["past"]], [noise(JUST_ABOVE, 0)]
    bursts = [
        Setting(name=f"bursts of {size}", pools=worst, arrive=partial(in_bursts, size=size)) for size in (3, 5, 20, 50)
    ]
    some = partial(in_bursts, size=20, share=0.3, geometric=True)
    outages = partial(with_incidents, every=1_000, size=60, wrong=0.6)
    return [
        Setting(name="worst case", pools=worst),
        *bursts,
        Setting(name="bursts of 5 at 5%", pools=[noise(0.05, 0)], arrive=partial(in_bursts, size=5)),
        Setting(name="bursts of 20 at 10%", pools=[noise(0.1, 0)], arrive=partial(in_bursts, size=20)),
        Setting(name="30% in bursts at 4%", pools=[noise(0.04, 0)], arrive=some),
        Setting(name="20% repeated at 3.5%", pools=[noise(0.035, 0)], reviewers=Reviewers(repeats=0.2)),
        Setting(name="worst case, learns", pools=[noise(JUST_ABOVE, seed) for seed in range(4)], learns=True),
        Setting(name="incidents", pools=[noise(0.005, 0)], arrive=outages, promised=False),
        Setting(name="drift 0.5 to 8%", pools=[noise(0.005, 0)], then=0.08, promised=False),
        Setting(name="drift 0.5 to 4.5%", pools=[noise(0.005, 0)], then=0.045, promised=False),
        Setting(name="a: specialist of the past", pools=past, tickets=LONG, learns=True),
        Setting(name="b: TF-IDF alone", pools=[pools["words"]], tickets=LONG, learns=True),
        Setting(name="c: strong pair", pools=[pools["strong"]], tickets=LONG, learns=True),
        Setting(name="d: as a, and learns", pools=learning("past"), tickets=LONG, learns=True),
        Setting(name="e: learns from nothing", pools=learning("new"), tickets=LONG, learns=True),
        Setting(name="a, 3% errors", pools=past, learns=True, reviewers=Reviewers(0.03)),
        Setting(name="a, half pulled", pools=past, learns=True, reviewers=Reviewers(0.0, 0.5)),
    ]


SETTINGS: list[Setting] = []


def measured(task: tuple[int, int]) -> dict[str, float]:
    """The figures of one stream, given the number of its setting and its seed."""
    setting, seed = task
    stream = Stream(SETTINGS[setting], seed).run()
    passed, judged = stream.passed, stream.labelled + stream.further * stream.audited
    passed_wrong = int((stream.wrong & passed).sum())
    since = len(passed) if stream.changed is None else stream.changed
    return {
        "setting": setting,
        "false": stream.is_false,
        "first": np.inf if stream.first is None else stream.first,
        "review": stream.labelled[:FIRST].mean(),
        "judgements": judged[:FIRST].mean(),
        "steady": stream.labelled[-STEADY:].mean(),
        "passed": passed.sum(),
        "passed wrong": passed_wrong,
        "too many": passed.sum() >= 100 and passed_wrong > TARGET_ERROR * passed.sum(),
        "passed after the change": passed[since:].sum(),
        "stopped after": np.inf if stream.stopped is None else stream.stopped - since,
        "claims": stream.claims,
    }


def main(file: Path, streams: int, processes: int, answers: Path | None, only: list[str]) -> None:
    fresh_installation()
    begun = time.perf_counter()
    SETTINGS.extend(setting for setting in settings_of(prepared(file, answers)) if setting.name.startswith(tuple(only)))
    tasks = [(setting, seed) for setting in range(len(SETTINGS)) for seed in range(streams)]
    with get_context("fork").Pool(processes) as workers:
        figures = workers.map(measured, tasks, chunksize=5)
    show([[figure for figure in figures if figure["setting"] == setting] for setting in range(len(SETTINGS))])
    print(f"\n{streams} streams a setting, seeds 0 to {streams - 1}; {time.perf_counter() - begun:.0f} s")


def show(runs: Sequence[Sequence[dict[str, float]]]) -> None:
    columns = [
        f"false certificate, of {len(runs[0])}",
        "first at labels",
        f"effort, first {FIRST}",
        "all judgements",
        f"effort, last {STEADY}",
        "wrong among passed",
        "streams with too many",
        "after the change: passed",
        "tickets until stopped",
        "claims",
    ]
    rows = [[setting.name, *_figures(setting, run)] for setting, run in zip(SETTINGS, runs, strict=True)]
    table("what is certified, and what it takes", ["setting", *columns], rows)


def _figures(setting: Setting, run: Sequence[dict[str, float]]) -> Iterator[str]:
    by_name = {name: np.array([figures[name] for figures in run]) for name in run[0]}
    low, high = wilson(by_name["false"].sum(), len(run))
    yield f"{by_name['false'].mean():.1%} ({low:.1%} to {high:.1%})" if setting.promised else "-"
    yield _median(by_name["first"])
    yield from (f"{by_name[name].mean():.1%}" for name in ("review", "judgements", "steady"))
    yield f"{by_name['passed wrong'].sum() / max(by_name['passed'].sum(), 1):.2%}"
    yield f"{by_name['too many'].mean():.1%}"
    changes = setting.then is not None
    yield from (_median(by_name[name]) if changes else "-" for name in ("passed after the change", "stopped after"))
    yield f"{by_name['claims'].mean():.1f}"


def _median(numbers: Floats) -> str:
    return f"{np.quantile(numbers, 0.5, method='higher'):.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with id, text, category and split")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--answers", type=Path, help="file that stores the models' answers between runs")
    parser.add_argument("--only", nargs="*", default=[""], help="settings whose names begin like this")
    main(**vars(parser.parse_args()))
