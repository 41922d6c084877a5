"""Detect drift: three figures and the mix of categories over all tickets, and the errors among audits. Pure.

Each detector bets that a figure between 0 and 1 has risen above its baseline. It restarts with a wealth of one whenever
less is left, and raises an alarm when its wealth passes a limit. Without a change that takes at least as many tickets
as the limit, on average (an e-detector). Its last restart estimates when the change began.

Shin, Ramdas and Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change detection"; Page (1954),
"Continuous inspection schemes".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

BETS = (0.25, 0.5, 1.0, 2.0)
MAX_BET = 0.9
"""The largest bet as a share of the largest possible one, so that one ticket never loses everything."""
QUIET_TICKETS, SUSPICIOUS_CHANGE = 60_000, 100.0
"""Tickets until a false alarm of each kind, at least, on average; and the wealth from which every ticket is audited."""
QUIET_AUDITS, SUSPICIOUS_ERRORS = 1_000, 20.0
"""The same in audits, while errors are as frequent as usual."""
ERROR_FACTORS = (1.5, 2.0, 3.0, 5.0)
"""The increases of the error rate that are bet on, as factors."""
BASELINE_TICKETS = 300
"""Tickets that make the baseline before bets begin."""
BASELINE_MARGIN = 1.0
"""Standard errors by which the baseline is raised, since few tickets made it."""
MONITORED_CATEGORIES = 8
"""How many of the most frequent categories are monitored one by one; the others count as one."""
PRIOR_TICKETS = 40.0
"""The weight of the baseline against recent tickets, in tickets."""


class Observation(NamedTuple):
    """A ticket in figures where higher is worse: whether the second model family disagrees (None without one), the
    probability that the answer is wrong, and how unlike any known ticket the text is; and the category's key.
    """

    disagrees: float | None
    uncertainty: float
    unknown: float
    category: int


@dataclass(slots=True)
class ChangeDetector:
    """`log_wealth` and `since` are by bet; `since` is the ticket, counted from 0, of its last restart."""

    log_wealth: list[float] = field(default_factory=lambda: [0.0] * len(BETS))
    since: list[int] = field(default_factory=lambda: [0] * len(BETS))

    def bet(self, gains: Sequence[float], at: int) -> None:
        """Multiply each bet's wealth by its gain from this ticket."""
        for place, gain in enumerate(gains):
            if self.log_wealth[place] <= 0.0:
                self.log_wealth[place], self.since[place] = 0.0, at
            self.log_wealth[place] += math.log(gain)

    def reaches(self, wealth: float) -> bool:
        return max(self.log_wealth) >= math.log(wealth)

    def change_point(self, quiet: int) -> int | None:
        """The ticket at which the change seems to have begun; None without an alarm. `quiet` is the mean number of
        tickets until a false alarm.
        """
        best = max(range(len(self.log_wealth)), key=self.log_wealth.__getitem__)
        return self.since[best] if self.log_wealth[best] >= math.log(len(self.log_wealth) * quiet) else None


@dataclass(slots=True)
class Baseline:
    """The running mean of a figure."""

    n: int = 0
    total: float = 0.0

    def learn(self, figure: float) -> None:
        self.n += 1
        self.total += figure

    @property
    def upper_mean(self) -> float:
        """Slightly above the mean, within (0, 1]."""
        mean = (self.total + 0.5) / (self.n + 1)
        return min(mean + BASELINE_MARGIN * math.sqrt(mean * (1 - mean) / (self.n + 1)), 1.0)


KINDS = ("agreement", "scores", "unknown")


@dataclass(slots=True)
class DriftMonitor:
    """Observes every ticket. The baseline keeps learning, so slow changes go unnoticed here."""

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
        """The kind of change and the ticket, counted from 0, at which it seems to have begun; None without one."""
        for kind, detector in self.detectors.items():
            since = detector.change_point(QUIET_TICKETS)
            if since is not None:
                return kind, since
        since = self.category_detector.change_point(QUIET_TICKETS)
        return None if since is None else ("labels", since)

    @property
    def is_suspicious(self) -> bool:
        """Whether something may have changed, short of an alarm."""
        return any(each.reaches(SUSPICIOUS_CHANGE) for each in (*self.detectors.values(), self.category_detector))

    def restart(self) -> None:
        """Start over after a cleared alarm, with a new baseline: the old one would raise the same alarm again."""
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
        """Bet that categories come as they did since the last restart rather than as they did in all."""
        number = sum(self.labels.values())
        if number >= BASELINE_TICKETS:
            frequent = sorted(self.labels, key=lambda key: (-self.labels[key], key))[:MONITORED_CATEGORIES]
            monitored = category in frequent
            baseline = (_count(self.labels, category, frequent, monitored) + 1) / (number + len(frequent) + 1)
            came = sum(self.recent.values())
            guess = (_count(self.recent, category, frequent, monitored) + PRIOR_TICKETS * baseline) / (
                came + PRIOR_TICKETS
            )
            self.category_detector.bet([guess / baseline], self.tickets)
            if self.category_detector.log_wealth[0] <= 0.0:
                self.recent = {}
            self.recent[category] = self.recent.get(category, 0) + 1
        self.labels[category] = self.labels.get(category, 0) + 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "DriftMonitor":
        """The inverse of `as_json`; a new monitor for an empty mapping."""
        if not stored:
            return cls()
        return cls(
            tickets=stored["tickets"],
            baseline={kind: Baseline(**fields) for kind, fields in stored["baseline"].items()},
            detectors={kind: ChangeDetector(**fields) for kind, fields in stored["detectors"].items()},
            labels={int(key): number for key, number in stored["labels"].items()},
            recent={int(key): number for key, number in stored["recent"].items()},
            category_detector=ChangeDetector(**stored["category_detector"]),
        )


def _count(labels: Mapping[int, int], category: int, frequent: Sequence[int], monitored: bool) -> int:
    """The count of this category, or of all those that are not monitored one by one."""
    if monitored:
        return labels.get(category, 0)
    return sum(labels.values()) - sum(labels.get(key, 0) for key in frequent)


class AuditErrors:
    """Watches audits of auto-accepted tickets: have errors become more frequent, or are they more frequent than the
    limit `error`? It bets against the lower of this limit and their usual share.
    """

    def __init__(self, error: float) -> None:
        self.detector = ChangeDetector([0.0] * len(ERROR_FACTORS), [0] * len(ERROR_FACTORS))
        self._usual, self._error = Baseline(), error

    def see(self, is_wrong: bool) -> None:
        base = min(self._error, self._usual.upper_mean)
        shares = [min(self._error * factor, 0.9) for factor in ERROR_FACTORS]
        gains = [share / base if is_wrong else (1 - share) / (1 - base) for share in shares]
        self.detector.bet(gains, self._usual.n)
        self._usual.learn(is_wrong)


def are_errors_suspected(detector: ChangeDetector) -> bool:
    """Whether errors may have become more frequent, short of an alarm."""
    return detector.reaches(SUSPICIOUS_ERRORS)


def audit_error_detector(wrong: Iterable[bool], error: float) -> ChangeDetector:
    """The detector after these audits, in order."""
    errors = AuditErrors(error)
    for is_wrong in wrong:
        errors.see(is_wrong)
    return errors.detector


def exceeds(wrong: Sequence[bool], error: float) -> bool:
    """Whether these audits show that errors are more frequent than `error`."""
    log_wealth = [0.0] * len(ERROR_FACTORS)
    for is_wrong in wrong:
        for place, factor in enumerate(ERROR_FACTORS):
            share = min(error * factor, 0.9)
            log_wealth[place] += math.log(share / error if is_wrong else (1 - share) / (1 - error))
    best = max(log_wealth)
    mean = sum(math.exp(bet - best) for bet in log_wealth) / len(log_wealth)
    return best + math.log(mean) >= math.log(1 / CONFIRMATION_RISK)


CONFIRMATION_RISK = 0.01
"""The probability that audits confirm an alarm although the error rate is within the limit."""
