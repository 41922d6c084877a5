"""One stream of tickets through certified auto-accept, without a database.

The scorer, the sequential test, the shares of audits, the incident guard's clusters, the watch on errors and the
spending of the risk are the product's; the gate's policy is replayed, and audits are answered before the next tickets
arrive.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from bench.streams import HISTORY, MARKS, Arrivals, Bools, Floats, Ints, Pool, independent
from classifier.pipeline.cluster import Cluster
from classifier.scoring.scorer import ScorerWeights, fit
from review.certification.drift import QUIET_AUDITS, AuditErrors, are_errors_suspected, exceeds
from review.certification.missed_share import SecondLooks
from review.certification.sequential_test import (
    DrawBatch,
    SequentialTest,
    audit_share,
    risk_for_claim,
    risk_for_missed_share,
    threshold_grid,
)

TARGET_ERROR, ASSUMED_MISSED, RISK = 0.03, 0.1, 0.05
"""What is promised, the share of errors that people are assumed to overlook until they prove better, and the risk."""
EARLY, LATE, REJUDGED, HELD_OUT = 0.3, 0.03, 0.1, 0.3
"""The product's default audit shares, its share of double checks, and the share held out from learning."""
FIRST = 10_000
MAX_CLEARING = 1_000


class Findings(NamedTuple):
    """By ticket: whether it is found wrong after double checks, how many further judgements that takes, whether the
    first person finds an error that is settled as one, and whether the second person repeats it.
    """

    wrong: Bools
    further: Ints
    second_look: Bools
    repeated: Bools


class Reviewers(NamedTuple):
    """Reviewers who make the model's own mistake in the share `repeats` of its errors, each independently, and who are
    wrong otherwise with probability `error`, always to the same wrong label; those who see a wrong suggestion accept it
    with probability `pull`.
    """

    error: float = 0.0
    pull: float = 0.0
    repeats: float = 0.0

    def blind(self, wrong: Bools, rng: np.random.Generator) -> Findings:
        labels = wrong ^ (rng.random((3, len(wrong))) < self.error)
        labels &= ~wrong | (rng.random((3, len(wrong))) >= self.repeats)
        twice = labels[0] | (rng.random(len(wrong)) < REJUDGED)
        thrice = twice & (labels[0] != labels[1])
        settled = np.where(thrice, labels[2], labels[0])
        return Findings(settled, twice.astype(np.int64) + thrice, labels[0] & settled, ~labels[1])

    def shown(self, wrong: Bools, rng: np.random.Generator) -> Bools:
        return (wrong ^ (rng.random(len(wrong)) < self.error)) & (rng.random(len(wrong)) >= self.pull)


@dataclass(slots=True)
class SelectiveActing(SequentialTest):
    """The test of Conformal Selective Acting (Khosravi and Huo 2026): each threshold has its part of the risk, the
    laxest that suffices is used, and every ticket counts.
    """

    @classmethod
    def start(cls, grid: Sequence[float], error: float, risk: float) -> Self:
        return super(SelectiveActing, cls).start(grid, error, risk / len(grid))

    @property
    def certified(self) -> int:
        return int(np.flatnonzero(self.reached).max(initial=-1)) + 1

    def add(self, batch: DrawBatch) -> None:
        super(SelectiveActing, self).add(batch._replace(repeat=np.zeros(len(batch.value), bool)))


Arrive = Callable[[Pool, int, np.random.Generator], Arrivals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`pools` are the same messages as the second family sees them at first and after each of MARKS; `learns` says
    whether a new scorer is fitted then. Once a certificate is granted, every ticket is wrong with the probability
    `then`, if there is one. `promised` is whether the pool's error rates are those of the stream. `anchor` replaces the
    product's test and guard by Conformal Selective Acting.
    """

    name: str
    pools: Sequence[Pool]
    arrive: Arrive = independent
    tickets: int = FIRST
    learns: bool = False
    reviewers: Reviewers = Reviewers()
    then: float | None = None
    promised: bool = True
    anchor: bool = False

    def test(self, grid: Sequence[float], error: float, risk: float) -> SequentialTest:
        return (
            SelectiveActing.start(grid, TARGET_ERROR, RISK) if self.anchor else SequentialTest.start(grid, error, risk)
        )


@dataclass(slots=True, kw_only=True)
class LiveScorer:
    """A live scorer: its scores of the pool, the ticket from which it is live, its evidence and test, and the true
    error rate at each threshold.
    """

    pool: Pool
    values: Floats
    since: int
    test: SequentialTest
    coverage: Sequence[float]
    draws: list[DrawBatch] = field(default_factory=list)
    risks: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.risks = np.array([self.pool.risk(self.values, threshold) for threshold in self.test.grid])

    def add(self, draws: DrawBatch) -> None:
        self.draws.append(draws)
        self.test.add(draws)

    def recount(self, test: SequentialTest) -> None:
        self.test = test
        for draws in self.draws:
            test.add(draws)

    def audits(self) -> list[bool]:
        """Whether each audit of what passes now found an error."""
        return [wrong for draws in self.draws for wrong in wrong_audits(draws, self.passes_from)]

    @property
    def passes_from(self) -> float:
        return np.inf if self.test.threshold is None else self.test.threshold

    @property
    def is_false(self) -> bool:
        certified = self.test.certified
        return bool((self.test.reached[:certified] & (self.risks[:certified] > TARGET_ERROR)).any())


def wrong_audits(draws: DrawBatch, threshold: float) -> list[bool]:
    evidence = draws.evidence()
    wrong: list[bool] = evidence.wrong[evidence.audited & (evidence.value >= threshold)].tolist()
    return wrong


class Stream:
    """Tickets in order: whether each is wrong, what reviewers find, and its state so far."""

    def __init__(self, setting: Setting, seed: int) -> None:
        rng = np.random.default_rng(seed)
        pool, count = setting.pools[0], setting.tickets
        self.setting, self._rng = setting, rng
        self.history = rng.integers(0, len(pool.answer), HISTORY)
        self.tickets = setting.arrive(pool, count, rng)
        self.lottery, self.wrong, self.in_burst = rng.random(count), self.tickets.wrong, self.tickets.in_burst
        self.findings = setting.reviewers.blind(self.wrong, rng)
        self.seen = setting.reviewers.shown(self.wrong, rng)
        self.accepted, self.audited, self.held_out = (np.zeros(count, bool) for _each in range(3))
        self.reviews: dict[int, Cluster] = defaultdict(Cluster)
        self.second_looks, self.error = SecondLooks.start(risk_for_missed_share(RISK)), _tested_error(ASSUMED_MISSED)
        self.claims, self.fits = 0, 0
        self.live = self._scorer(pool, ScorerWeights.built_in(), self.history, 0)
        self.watch: AuditErrors | None = None
        self.clearing: SequentialTest | None = None
        self.since_alarm: list[bool] = []
        self.is_false = False
        self.first: int | None = None
        self.first_of_strictest: int | None = None
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

    def _next_risk(self) -> float:
        self.claims += 1
        return risk_for_claim(RISK, self.claims - 1)

    def _scorer(self, pool: Pool, weights: ScorerWeights, history: Ints, since: int) -> LiveScorer:
        values = pool.values(weights)
        grid, coverage = threshold_grid(values[history].tolist())
        test = self.setting.test(grid, self.error, self._next_risk())
        return LiveScorer(pool=pool, values=values, since=since, test=test, coverage=coverage)

    def _begin(self, now: int) -> None:
        """The first certificate, after which things may change."""
        self.first = int(self.labelled[:now].sum())
        live = self.live
        strictest = live.values[self.tickets.rows[live.since : now]] >= live.test.grid[0]
        self.first_of_strictest = int(self.labelled[: live.since].sum() + strictest.sum())
        if self.setting.then is not None:
            self.changed = now
            self.wrong[now:] = self.tickets.luck[now:] < self.setting.then
            changed = self.setting.reviewers.blind(self.wrong[now:], self._rng)
            for column, later in zip(self.findings, changed, strict=True):
                column[now:] = later

    def _come(self, turn: slice) -> None:
        """Judge and draw the tickets, audit those drawn, and update the test and the watch."""
        live = self.live
        value = live.values[self.tickets.rows[turn]]
        passes_from = np.inf if self.clearing else live.passes_from
        usual = audit_share(turn.start, EARLY, LATE)
        floor = np.full(len(value), 1.0 if self.watch and are_errors_suspected(self.watch.detector) else usual)
        accepted, share = value >= passes_from, floor.copy()
        share[~accepted & (value >= live.test.audits_from)] = 1.0
        held = self._guard(turn, accepted, share)
        audited = self.lottery[turn] < share
        self.accepted[turn], self.audited[turn] = accepted, audited
        self.held_out[turn] = self.lottery[turn] < np.minimum(floor, HELD_OUT)
        fully_audited = np.full(len(value), live.test.audits_from if passes_from == np.inf else np.inf)
        found, repeat = self.findings.wrong[turn], self.tickets.repeat[turn]
        draws = DrawBatch(value, share, floor, fully_audited, audited, found, repeat).select(~held)
        live.add(draws)
        self._look_again(turn)
        if live.test.certified:
            self._check(draws, turn.stop)

    def _guard(self, turn: slice, accepted: Bools, share: Floats) -> Bools:
        """Hold repeats as the product does; reviews are answered at once. Returns which are held."""
        clusters, held = self.tickets.cluster[turn], np.zeros(len(share), bool)
        for place in () if self.setting.anchor else np.flatnonzero(self.in_burst[turn]):
            at, cluster = turn.start + int(place), int(clusters[place])
            reviews, is_wrong = self.reviews[cluster], bool(self.findings.wrong[at])
            if reviews.tickets:
                share[place] = max(share[place], reviews.audit_share(share[place]))
                held[place], accepted[place] = reviews.hold, accepted[place] and not reviews.hold
            audited = bool(self.lottery[at] < share[place])
            self.reviews[cluster] = reviews._replace(
                tickets=reviews.tickets + 1,
                right=reviews.right + (audited and not is_wrong),
                wrong=reviews.wrong + (audited and is_wrong),
            )
        return held

    def _look_again(self, turn: slice) -> None:
        """Count the evidence anew if second looks prove that people overlook fewer errors."""
        looks = self.audited[turn] & self.findings.second_look[turn]
        self.second_looks.add(self.findings.repeated[turn][looks].tolist())
        error = _tested_error(self.second_looks.most_missed(ASSUMED_MISSED))
        if error > self.error and not self.setting.anchor:
            self.error, test = error, self.live.test
            self.live.recount(SequentialTest.start(test.grid.tolist(), error, test.risk))

    def _check(self, draws: DrawBatch, now: int) -> None:
        """Watch the audits of what would pass; raise, clear or confirm an alarm."""
        if self.clearing:
            self.clearing.add(draws)
            self.since_alarm += wrong_audits(draws, self.live.passes_from)
            if self.clearing.certified:
                self.clearing, self.watch = None, AuditErrors(self.error)
            elif exceeds(self.since_alarm, self.error) or len(self.since_alarm) >= MAX_CLEARING:
                self._revoke()
            return
        audits = wrong_audits(draws, self.live.passes_from)
        if self.watch is None:
            self.watch, audits = AuditErrors(self.error), self.live.audits()
        for is_wrong in audits:
            self.watch.see(is_wrong)
        if self.watch.detector.change_point(QUIET_AUDITS) is not None:
            self.clearing = SequentialTest.start([self.live.passes_from], self.error, self._next_risk())
            self.since_alarm, self.stopped = [], self.stopped or now

    def _revoke(self) -> None:
        """Start over with new evidence."""
        self.live.test = self.setting.test(self.live.test.grid.tolist(), self.error, self._next_risk())
        self.live.draws, self.clearing, self.watch = [], None, None

    def _learnable(self, now: int) -> Bools:
        return self.labelled[:now] & ~self.held_out[:now]

    def _learn(self, now: int) -> None:
        """Fit a new scorer, and deploy it if the held-out audits certify as much with it."""
        from review.certification.scorer_training import Progress

        self.fits += 1
        rows, pool = self.tickets.rows, self.setting.pools[min(self.fits, len(self.setting.pools) - 1)]
        learnable, held_out = np.flatnonzero(self._learnable(now)), np.flatnonzero(self.held_out[:now])
        wrong = np.where(self.audited, self.findings.wrong, self.seen)
        weights = fit(pool.judged(rows[learnable], wrong[learnable]))
        recent = rows[np.flatnonzero(~self.held_out[:now])[-HISTORY:]]
        live = self._scorer(pool, weights, recent, now)
        values, repeat = live.values[rows[held_out]].tolist(), self.tickets.repeat[held_out].tolist()
        live.add(DrawBatch.carried(zip(values, self.findings.wrong[held_out].tolist(), repeat, strict=True)))
        if Progress.from_test(live.test, live.coverage) >= Progress.from_test(self.live.test, self.live.coverage):
            self.live, self.watch, self.clearing = live, None, None


def _tested_error(missed: float) -> float:
    return TARGET_ERROR * (1 - missed)


def steps(tickets: int) -> Iterator[tuple[int, int]]:
    """Ranges of tickets between two updates of the test."""
    start = 0
    while start < tickets:
        stop = min(start + (25 if start < 2_000 else 100 if start < FIRST else 500), tickets)
        yield start, stop
        start = stop
