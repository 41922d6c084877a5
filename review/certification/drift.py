"""Whether things are still as they were: detectors that look at every ticket, and one that looks at audits. Pure.

Each is a gambler who bets that a figure between 0 and 1 has risen above what is usual, starts anew with the money of
one whenever less is left, and raises an alarm when it has grown past a limit. While nothing has changed that takes at
least as many tickets as the limit says, on average (an e-detector). Who started when tells since when it has changed.

Shin, Ramdas and Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change detection"; Page (1954),
"Continuous inspection schemes".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

BETS = (0.25, 0.5, 1.0, 2.0)
MAX_BET = 0.9
"""Of what one may bet at most, so that a single ticket never takes everything."""
QUIET_TICKETS = 60_000
"""On average at least so many tickets pass without one false alarm of each kind."""
QUIET_AUDITS = 1_000
"""The same for audits whose share of errors is just what is promised."""
ERROR_FACTORS = (1.5, 2.0, 3.0, 5.0)
"""By which factors the share of errors may have grown."""
BASELINE_TICKETS = 300
"""Tickets that tell what is usual, before anything is looked for."""
BASELINE_MARGIN = 1.0
"""Standard errors that the usual is taken higher than it was seen, for it was seen on so few."""
MONITORED_CATEGORIES = 8
"""The most frequent categories, each watched for itself; the others together."""
PRIOR_TICKETS = 40.0
"""Tickets' worth of trust that labels come as usual, before what comes now has a say."""


class Observation(NamedTuple):
    """Of a ticket, as figures where more is worse: whether the second family disagrees (None where there is none), how
    probable it is that the answer is wrong, whether the text is unlike anything known; and the category's key.
    """

    disagrees: float | None
    uncertainty: float
    unknown: float
    category: int


@dataclass(slots=True)
class ChangeDetector:
    """`log_wealth` are logarithms, one for each bet; `since` when each of them last started, as a count of tickets."""

    log_wealth: list[float] = field(default_factory=lambda: [0.0] * len(BETS))
    since: list[int] = field(default_factory=lambda: [0] * len(BETS))

    def bet(self, gains: Sequence[float], at: int) -> None:
        """`gains` are the factors of this ticket, for each bet."""
        for place, gain in enumerate(gains):
            if self.log_wealth[place] <= 0.0:
                self.log_wealth[place], self.since[place] = 0.0, at
            self.log_wealth[place] += math.log(gain)

    def change_point(self, quiet: int) -> int | None:
        """Since when, if the alarm is to be raised; `quiet` is the number of tickets until a false one."""
        best = max(range(len(self.log_wealth)), key=self.log_wealth.__getitem__)
        return self.since[best] if self.log_wealth[best] >= math.log(len(self.log_wealth) * quiet) else None


@dataclass(slots=True)
class Baseline:
    """The mean of what came before."""

    n: int = 0
    total: float = 0.0

    def learn(self, figure: float) -> None:
        self.n += 1
        self.total += figure

    @property
    def upper_mean(self) -> float:
        """Somewhat above the mean, and within (0, 1]; one that is always 1 cannot rise."""
        mean = (self.total + 0.5) / (self.n + 1)
        return min(mean + BASELINE_MARGIN * math.sqrt(mean * (1 - mean) / (self.n + 1)), 1.0)


KINDS = ("agreement", "scores", "unknown")


@dataclass(slots=True)
class DriftMonitor:
    """Looks at every ticket. All that comes tells what is usual, so that what grows slowly is not noticed here."""

    tickets: int = 0
    baseline: dict[str, Baseline] = field(default_factory=lambda: {kind: Baseline() for kind in KINDS})
    detectors: dict[str, ChangeDetector] = field(default_factory=lambda: {kind: ChangeDetector() for kind in KINDS})
    labels: dict[int, int] = field(default_factory=dict)
    recent: dict[int, int] = field(default_factory=dict)
    category_detector: ChangeDetector = field(default_factory=lambda: ChangeDetector([0.0], [0]))

    def observe(self, seen: Observation) -> None:
        figures = {"agreement": seen.disagrees, "scores": seen.uncertainty, "unknown": seen.unknown}
        for kind, figure in figures.items():
            if figure is not None:
                self._observe_figure(kind, figure)
        self._observe_label(seen.category)
        self.tickets += 1

    def change(self) -> tuple[str, int] | None:
        """Which kind of change is seen, if any, and since which ticket (counted from 0)."""
        for kind, detector in self.detectors.items():
            since = detector.change_point(QUIET_TICKETS)
            if since is not None:
                return kind, since
        since = self.category_detector.change_point(QUIET_TICKETS)
        return None if since is None else ("labels", since)

    def restart(self) -> None:
        """What was noticed is no reason to worry: what comes from now on tells what is usual. If what came before had a
        say, the same would be noticed again and again.
        """
        self.detectors = {kind: ChangeDetector() for kind in KINDS}
        self.category_detector, self.recent = ChangeDetector([0.0], [0]), {}
        self.baseline, self.labels = {kind: Baseline() for kind in KINDS}, {}

    def _observe_figure(self, kind: str, figure: float) -> None:
        baseline, detector = self.baseline[kind], self.detectors[kind]
        if baseline.n >= BASELINE_TICKETS:
            mean = baseline.upper_mean
            detector.bet([1 + min(bet, MAX_BET / mean) * (figure - mean) for bet in BETS], self.tickets)
        baseline.learn(figure)

    def _observe_label(self, category: int) -> None:
        """The gambler's guess is what came since they started, the usual one all that came."""
        number = sum(self.labels.values())
        if number >= BASELINE_TICKETS:
            frequent = sorted(self.labels, key=lambda key: (-self.labels[key], key))[:MONITORED_CATEGORIES]
            alone = category in frequent
            baseline = (_count(self.labels, category, frequent, alone) + 1) / (number + len(frequent) + 1)
            came = sum(self.recent.values())
            guess = (_count(self.recent, category, frequent, alone) + PRIOR_TICKETS * baseline) / (came + PRIOR_TICKETS)
            self.category_detector.bet([guess / baseline], self.tickets)
            if self.category_detector.log_wealth[0] <= 0.0:
                self.recent = {}
            self.recent[category] = self.recent.get(category, 0) + 1
        self.labels[category] = self.labels.get(category, 0) + 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DriftMonitor:
        """What `as_json` gave; a new one for nothing."""
        if not stored:
            return cls()
        return cls(
            tickets=stored["tickets"],
            baseline={kind: Baseline(**one) for kind, one in stored["baseline"].items()},
            detectors={kind: ChangeDetector(**one) for kind, one in stored["detectors"].items()},
            labels={int(key): number for key, number in stored["labels"].items()},
            recent={int(key): number for key, number in stored["recent"].items()},
            category_detector=ChangeDetector(**stored["category_detector"]),
        )


def _count(labels: Mapping[int, int], category: int, frequent: Sequence[int], alone: bool) -> int:
    """How often this category came, or all of those that are watched together."""
    if alone:
        return labels.get(category, 0)
    return sum(labels.values()) - sum(labels.get(key, 0) for key in frequent)


def audit_error_detector(wrong: Sequence[bool], error: float) -> ChangeDetector:
    """The detector that looks at audits of accepted tickets, in order: whether more are wrong than is promised."""
    detector = ChangeDetector([0.0] * len(ERROR_FACTORS), [0] * len(ERROR_FACTORS))
    shares = [min(error * factor, 0.9) for factor in ERROR_FACTORS]
    for place, one in enumerate(wrong):
        detector.bet([share / error if one else (1 - share) / (1 - error) for share in shares], place)
    return detector


def burst_verdict(wrong: Sequence[bool], error: float) -> bool | None:
    """What the audits of a burst say: True that the promise does not hold any more, False that it does, None that
    there are too few of them.
    """
    log_wealth = [0.0] * len(ERROR_FACTORS)
    for one in wrong:
        for place, factor in enumerate(ERROR_FACTORS):
            share = min(error * factor, 0.9)
            log_wealth[place] += math.log(share / error if one else (1 - share) / (1 - error))
        best = max(log_wealth)
        if best + math.log(sum(math.exp(one - best) for one in log_wealth) / len(log_wealth)) >= math.log(
            1 / BURST_RISK
        ):
            return True
    return False if len(wrong) >= BURST_AUDITS and sum(wrong) <= error * len(wrong) else None


BURST_AUDITS = 150
"""Audits of a burst, at least, before it is said that all is well."""
BURST_RISK = 0.01
"""How probable it is that a burst finds fault with tickets that keep the promise."""
