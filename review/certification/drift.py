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
MOST = 0.9
"""Of what one may bet at most, so that a single ticket never takes everything."""
QUIET_TICKETS = 60_000
"""On average at least so many tickets pass without one false alarm of each kind."""
QUIET_AUDITS = 1_000
"""The same for audits whose share of errors is just what is promised."""
WORSE = (1.5, 2.0, 3.0, 5.0)
"""By which factors the share of errors may have grown."""
BASELINE = 300
"""Tickets that tell what is usual, before anything is looked for."""
CAREFUL = 1.0
"""Standard errors that the usual is taken higher than it was seen, for it was seen on so few."""
GROUPS = 8
"""The most frequent categories, each watched for itself; the others together."""
PRIOR = 40.0
"""Tickets' worth of trust that labels come as usual, before what comes now has a say."""


class Seen(NamedTuple):
    """Of a ticket, as figures where more is worse: whether the second family disagrees (None where there is none), how
    probable it is that the answer is wrong, whether the text is unlike anything known; and the category's key.
    """

    disagrees: float | None
    doubt: float
    unknown: float
    category: int


@dataclass(slots=True)
class Detector:
    """`money` are logarithms, one for each bet; `since` when each of them last started, as a count of tickets."""

    money: list[float] = field(default_factory=lambda: [0.0] * len(BETS))
    since: list[int] = field(default_factory=lambda: [0] * len(BETS))

    def bet(self, gains: Sequence[float], at: int) -> None:
        """`gains` are the factors of this ticket, for each bet."""
        for place, gain in enumerate(gains):
            if self.money[place] <= 0.0:
                self.money[place], self.since[place] = 0.0, at
            self.money[place] += math.log(gain)

    def changed_since(self, quiet: int) -> int | None:
        """Since when, if the alarm is to be raised; `quiet` is the number of tickets until a false one."""
        best = max(range(len(self.money)), key=self.money.__getitem__)
        return self.since[best] if self.money[best] >= math.log(len(self.money) * quiet) else None


@dataclass(slots=True)
class Usual:
    """The mean of what came before."""

    n: int = 0
    total: float = 0.0

    def learn(self, figure: float) -> None:
        self.n += 1
        self.total += figure

    @property
    def careful(self) -> float:
        """Somewhat above the mean, and within (0, 1]; one that is always 1 cannot rise."""
        mean = (self.total + 0.5) / (self.n + 1)
        return min(mean + CAREFUL * math.sqrt(mean * (1 - mean) / (self.n + 1)), 1.0)


KINDS = ("agreement", "scores", "unknown")


@dataclass(slots=True)
class Watch:
    """Looks at every ticket. All that comes tells what is usual, so that what grows slowly is not noticed here."""

    tickets: int = 0
    usual: dict[str, Usual] = field(default_factory=lambda: {kind: Usual() for kind in KINDS})
    detectors: dict[str, Detector] = field(default_factory=lambda: {kind: Detector() for kind in KINDS})
    labels: dict[int, int] = field(default_factory=dict)
    recent: dict[int, int] = field(default_factory=dict)
    of_labels: Detector = field(default_factory=lambda: Detector([0.0], [0]))

    def look(self, seen: Seen) -> None:
        figures = {"agreement": seen.disagrees, "scores": seen.doubt, "unknown": seen.unknown}
        for kind, figure in figures.items():
            if figure is not None:
                self._look(kind, figure)
        self._look_at_label(seen.category)
        self.tickets += 1

    def alarm(self) -> tuple[str, int] | None:
        """Which kind of change is seen, if any, and since which ticket (counted from 0)."""
        for kind, detector in self.detectors.items():
            since = detector.changed_since(QUIET_TICKETS)
            if since is not None:
                return kind, since
        since = self.of_labels.changed_since(QUIET_TICKETS)
        return None if since is None else ("labels", since)

    def quieten(self) -> None:
        """What was noticed is no reason to worry: what comes from now on tells what is usual. If what came before had a
        say, the same would be noticed again and again.
        """
        self.detectors = {kind: Detector() for kind in KINDS}
        self.of_labels, self.recent = Detector([0.0], [0]), {}
        self.usual, self.labels = {kind: Usual() for kind in KINDS}, {}

    def _look(self, kind: str, figure: float) -> None:
        usual, detector = self.usual[kind], self.detectors[kind]
        if usual.n >= BASELINE:
            mean = usual.careful
            detector.bet([1 + min(bet, MOST / mean) * (figure - mean) for bet in BETS], self.tickets)
        usual.learn(figure)

    def _look_at_label(self, category: int) -> None:
        """The gambler's guess is what came since they started, the usual one all that came."""
        number = sum(self.labels.values())
        if number >= BASELINE:
            frequent = sorted(self.labels, key=lambda key: (-self.labels[key], key))[:GROUPS]
            alone = category in frequent
            usual = (_counted(self.labels, category, frequent, alone) + 1) / (number + len(frequent) + 1)
            came = sum(self.recent.values())
            guess = (_counted(self.recent, category, frequent, alone) + PRIOR * usual) / (came + PRIOR)
            self.of_labels.bet([guess / usual], self.tickets)
            if self.of_labels.money[0] <= 0.0:
                self.recent = {}
            self.recent[category] = self.recent.get(category, 0) + 1
        self.labels[category] = self.labels.get(category, 0) + 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Watch:
        """What `as_json` gave; a new one for nothing."""
        if not stored:
            return cls()
        return cls(
            tickets=stored["tickets"],
            usual={kind: Usual(**one) for kind, one in stored["usual"].items()},
            detectors={kind: Detector(**one) for kind, one in stored["detectors"].items()},
            labels={int(key): number for key, number in stored["labels"].items()},
            recent={int(key): number for key, number in stored["recent"].items()},
            of_labels=Detector(**stored["of_labels"]),
        )


def _counted(labels: Mapping[int, int], category: int, frequent: Sequence[int], alone: bool) -> int:
    """How often this category came, or all of those that are watched together."""
    if alone:
        return labels.get(category, 0)
    return sum(labels.values()) - sum(labels.get(key, 0) for key in frequent)


def of_audits(wrong: Sequence[bool], error: float) -> Detector:
    """The detector that looks at audits of accepted tickets, in order: whether more are wrong than is promised."""
    detector = Detector([0.0] * len(WORSE), [0] * len(WORSE))
    shares = [min(error * factor, 0.9) for factor in WORSE]
    for place, one in enumerate(wrong):
        detector.bet([share / error if one else (1 - share) / (1 - error) for share in shares], place)
    return detector


def burst_says(wrong: Sequence[bool], error: float) -> bool | None:
    """What the audits of a burst say: True that the promise does not hold any more, False that it does, None that
    there are too few of them.
    """
    money = [0.0] * len(WORSE)
    for one in wrong:
        for place, factor in enumerate(WORSE):
            share = min(error * factor, 0.9)
            money[place] += math.log(share / error if one else (1 - share) / (1 - error))
        best = max(money)
        if best + math.log(sum(math.exp(one - best) for one in money) / len(money)) >= math.log(1 / BURST_RISK):
            return True
    return False if len(wrong) >= BURST and sum(wrong) <= error * len(wrong) else None


BURST = 150
"""Audits of a burst, at least, before it is said that all is well."""
BURST_RISK = 0.01
"""How probable it is that a burst finds fault with tickets that keep the promise."""
