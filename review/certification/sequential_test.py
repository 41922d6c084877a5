"""Which threshold is certified: the fixed-sequence, anytime-valid test over a grid of thresholds. Pure.

For each threshold t the hypothesis is that more than the share `error` of the tickets that score at least t is wrong.
A gambler with a wealth of one bets against it: for a ticket that scores at least t and was audited with probability p,
the outcome is w = wrong / p - error (-error without an audit), and wealth is multiplied by 1 - bet * w. If the
hypothesis is true, w is above zero on average and wealth does not grow on average, so the probability that it ever
reaches 1 / risk is at most `risk`, however often it is looked at (Ville's inequality). Several bets run side by side,
and wealth is their weighted mean. Thresholds are certified from strict to lax, each only after those before it: the
first for which the hypothesis is true stops the sequence with probability 1 - risk, so their number needs no
correction.

What counts once is a cluster of alike tickets that came together, since these are right or wrong together. Its first
ticket counts as any other. The later ones, its repeats, count only if an audit finds them wrong, once more for every
such audit, so that wealth is never above what the whole cluster, ticket by ticket, would leave if its clean repeats
gained nothing: the hypothesis is about all tickets, and the evidence about clusters.

- Ville (1939); Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting".
- Xu, Karampatziakis and Mineiro (2024), "Active, anytime-valid risk controlling prediction sets": audits with known
  probabilities.
- Angelopoulos et al. (2021), "Learn then test": the fixed sequence.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BETS = np.array([0.97, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2])
"""Bets as shares of the largest possible one. The best bet at a true share of wrong tickets r is 1 - r / error."""
WEIGHTS = np.array([0.15, 0.2, 0.2, 0.15, 0.15, 0.1, 0.05])
"""How the initial wealth is split over the bets."""
COVERAGES = np.arange(0.5, 0.995, 0.01)
"""The shares of all tickets that the thresholds of a grid would auto-accept."""
FRONTIER = 40
"""How many thresholds below the certified ones have all their tickets audited: people review those anyway."""
FIRST_CLAIM, CATEGORIES, MISSED_SHARE = 0.6, 0.05, 0.05
"""The parts of the risk that the first claim may spend, all claims about single categories, and the bound on the errors
that people overlook; all later claims share the rest.
"""
CHUNK = 4_096


class DrawBatch(NamedTuple):
    """Draws in order, as columns of equal length: the ticket's score (`value`), its audit probability (`share`), the
    lowest audit probability at the time (`floor`), whether it was audited, whether its answer was wrong (ignored
    without an audit), and whether it repeats a ticket that came shortly before (`repeat`). `fully_audited` is the score
    from which every ticket was audited while nothing was auto-accepted, and infinite otherwise.
    """

    value: Floats
    share: Floats
    floor: Floats
    fully_audited: Floats
    audited: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]

    repeat: npt.NDArray[np.bool_]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[float, float, float, float, bool, bool, bool]]) -> "DrawBatch":
        columns = np.array(rows, np.float64).reshape(len(rows), 7).T
        audited, wrong, repeat = columns[4:].astype(bool)
        return cls(*columns[:4], audited, wrong, repeat)  # type: ignore[call-arg]  # four columns

    @classmethod
    def carried(cls, audits: Iterable[tuple[float, bool, bool]]) -> "DrawBatch":
        """Audits (value, wrong, repeat) that were all drawn with the same probability, whatever their scores."""
        return cls.from_rows([(value, 1.0, 1.0, -math.inf, True, wrong, repeat) for value, wrong, repeat in audits])

    def select(self, where: slice | npt.NDArray[np.bool_]) -> "DrawBatch":
        return DrawBatch(*(column[where] for column in self))  # type: ignore[arg-type]  # columns of their kinds

    def evidence(self) -> "DrawBatch":
        """Without the repeats that no audit found wrong: alike tickets are right together, and count once."""
        return self.select(~self.repeat | (self.audited & self.wrong))


def fully_audited_from(audits_from: float, certified_threshold: float | None) -> float:
    """The score from which everything was audited; infinite if anything was auto-accepted."""
    return audits_from if certified_threshold is None else math.inf


def threshold_grid(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Thresholds, strictest first, and the share of these scores at or above each.

    The scores must belong to tickets that are not evidence themselves.
    """
    scores = np.sort(np.array(values, np.float64))
    quantiles = np.quantile(scores, 1 - COVERAGES, method="higher")
    grid = sorted({float(threshold) for threshold in quantiles}, reverse=True)
    return grid, [float((scores >= threshold).mean()) for threshold in grid]


@dataclass(slots=True)
class SequentialTest:
    """The state of the test: `wealth` holds logarithms of shape (thresholds, bets); `reached` says whether each
    threshold's wealth has ever sufficed.
    """

    grid: Floats
    error: float
    risk: float
    wealth: Floats
    reached: npt.NDArray[np.bool_]

    @classmethod
    def start(cls, grid: Sequence[float], error: float, risk: float) -> Self:
        wealth, reached = np.zeros((len(grid), len(BETS))), np.zeros(len(grid), bool)
        return cls(np.array(grid, np.float64), error, risk, wealth, reached)

    @property
    def certified(self) -> int:
        """The number of certified thresholds, from the strictest on."""
        return int(np.logical_and.accumulate(self.reached).sum())

    @property
    def threshold(self) -> float | None:
        """The lowest certified threshold, if any."""
        return float(self.grid[self.certified - 1]) if self.certified else None

    @property
    def audits_from(self) -> float:
        """The score from which every ticket that is not auto-accepted is audited."""
        return float(self.grid[min((self.certified or 1) - 1 + FRONTIER, len(self.grid) - 1)])

    @property
    def required_log_wealth(self) -> float:
        """The logarithm of the wealth that certifies a threshold."""
        return -math.log(self.risk)

    def log_wealth(self) -> Floats:
        """The logarithm of each threshold's wealth, over all bets: shape (thresholds,)."""
        return _log_mean(self.wealth)

    def add(self, batch: DrawBatch) -> None:
        """Add further draws, in order."""
        evidence = batch.evidence()
        for start in range(0, len(evidence.value), CHUNK):
            self._add(evidence.select(slice(start, start + CHUNK)))

    def _add(self, batch: DrawBatch) -> None:
        outcome = np.where(batch.audited, batch.wrong / batch.share, 0.0) - self.error
        partial = self._log_gains(outcome, batch.floor)
        # Fully audited tickets allow larger bets.
        whole = self._log_gains(outcome, np.where(batch.share < 1.0, batch.floor, 1.0))
        counts = batch.value >= self.grid[:, None]
        full = counts & (self.grid[:, None] >= batch.fully_audited)
        rest = counts & ~full
        # Wealth is never above what it would be without the losses, so few thresholds need a look at every ticket.
        most = self.wealth + full @ np.maximum(whole, 0.0) + rest @ np.maximum(partial, 0.0)
        for place in np.flatnonzero(~self.reached & (_log_mean(most) >= self.required_log_wealth)):
            steps = np.where(full[place, :, None], whole, partial)[counts[place]]
            path = _log_mean(self.wealth[place] + steps.cumsum(axis=0))
            self.reached[place] = bool((path >= self.required_log_wealth).any())
        self.wealth += full @ whole + rest @ partial

    def _log_gains(self, outcome: Floats, floor: Floats) -> Floats:
        """By ticket and bet, where every ticket that counts was audited with a probability of at least `floor`."""
        most = 1 / (1 / floor - self.error)
        return np.asarray(np.log1p((-most * outcome)[:, None] * BETS))

    def clean_audits_to_next(self, floor: float = 1.0, most: int = 5_000) -> int | None:
        """The number of further audits without an error that would certify the next threshold, at an audit probability
        of `floor`. None if that takes more than `most`, or if all thresholds are certified.
        """
        place = self.certified
        if place == len(self.grid):
            return None
        # A ticket without an audit counts as much as a clean one.
        gain = np.log1p(BETS * self.error / (1 / floor - self.error))
        tickets = np.arange(1, int(most / floor) + 1)
        there = np.flatnonzero(_log_mean(self.wealth[place] + tickets[:, None] * gain) >= self.required_log_wealth)
        # Floating point: 100 * 0.07 is slightly more than 7.
        return int(np.ceil(tickets[there[0]] * floor - 1e-9)) if len(there) else None


def _log_mean(wealth: Floats) -> Floats:
    """The logarithm of the weighted mean over the last axis."""
    most = wealth.max(axis=-1, keepdims=True)
    return np.asarray(most[..., 0] + np.log(np.exp(wealth - most) @ WEIGHTS))


def audit_share(tickets: int, early: float, late: float) -> float:
    """The probability that the next ticket is audited, after this many: higher while evidence is scarce."""
    if tickets < 2_000:
        return early
    return max(early / 2, late) if tickets < 5_000 else late


def risk_for_claim(risk: float, earlier: int) -> float:
    """The part of the risk that a claim may spend after so many `earlier` ones: most of it for the first, and ever less
    of the rest for the others, such that all claims together never spend more than the risk.
    """
    rest = 1 - FIRST_CLAIM - CATEGORIES - MISSED_SHARE
    return risk * (rest / (earlier * (earlier + 1)) if earlier else FIRST_CLAIM)


def risk_for_categories(risk: float, earlier: int) -> float:
    """The part that goes with this claim for the same claim about each category, all of them together."""
    return risk * CATEGORIES / ((earlier + 1) * (earlier + 2))


def risk_for_missed_share(risk: float) -> float:
    """The part for the bound on the errors that people overlook."""
    return risk * MISSED_SHARE
