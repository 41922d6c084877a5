"""Which threshold is certified: the fixed-sequence, anytime-valid test over a grid of thresholds. Pure.

For each threshold t the hypothesis is that more than the share `error` of the tickets that score at least t is wrong.
A gambler with a wealth of one bets against it: for a ticket that scores at least t and was audited with probability p,
the outcome is w = wrong / p - error (-error without an audit), and wealth is multiplied by 1 - bet * w. If the
hypothesis is true, w is above zero on average and wealth does not grow on average, so the probability that it ever
reaches 1 / risk is at most `risk`, however often it is looked at (Ville's inequality). Several bets run side by side,
and wealth is their weighted mean. Thresholds are certified from strict to lax, each only after those before it: the
first for which the hypothesis is true stops the sequence with probability 1 - risk, so their number needs no
correction.

- Ville (1939); Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting".
- Xu, Karampatziakis and Mineiro (2024), "Active, anytime-valid risk controlling prediction sets": audits with known
  probabilities.
- Angelopoulos et al. (2021), "Learn then test": the fixed sequence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BETS = np.array([0.97, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2])
"""Bets as shares of the largest possible one. The best bet at a true share of wrong tickets r is 1 - r / error."""
STRICT_WEIGHTS = np.array([0.2, 0.25, 0.2, 0.15, 0.1, 0.06, 0.04])
"""How the initial wealth is split over the bets for strict thresholds, where errors are usually far below the limit."""
LAX_WEIGHTS = np.array([0.0, 0.0, 0.05, 0.2, 0.3, 0.25, 0.2])
"""The split for lax thresholds, where the true share is near the limit and small bets win most. Large bets would
certify thresholds just beyond it after a lucky run without errors: at a true share r, a bet c ever reaches 1 / risk
with a probability of about risk ** (1 + 2 * (r - error) / (c * r)), as for a random walk with this drift and variance.
"""
STRICT_THRESHOLDS = 12
"""How many thresholds of a grid are strict."""
LATER_WEALTH, LAX_WEALTH = 54.0, 120.0
"""The least wealth that certifies thresholds after the first, and lax ones, whatever the risk: they add less coverage
than the first, and are more often just beyond the limit.
"""
COVERAGES = np.arange(0.4, 0.95, 0.02)
"""The shares of all tickets that the thresholds of a grid would auto-accept."""
CHUNK = 4_096


class DrawBatch(NamedTuple):
    """Draws in order, as columns of equal length: the ticket's score (`value`), its audit probability (`share`), the
    lowest audit probability at the time (`floor`), whether it was audited, and whether its answer was wrong (ignored
    without an audit). `fully_audited` is the score from which every ticket was audited while nothing was auto-accepted,
    and infinite otherwise.
    """

    value: Floats
    share: Floats
    floor: Floats
    fully_audited: Floats
    audited: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[float, float, float, float, bool, bool]]) -> "DrawBatch":
        columns = np.array(rows, np.float64).reshape(len(rows), 6).T
        value, share, floor, fully_audited, audited, wrong = columns
        return cls(value, share, floor, fully_audited, audited.astype(bool), wrong.astype(bool))

    @classmethod
    def audits(cls, values: Sequence[float], wrong: Sequence[bool]) -> "DrawBatch":
        """Audits that were all drawn with the same probability, whatever their scores."""
        ones = np.ones(len(values))
        fully_audited, every = np.full(len(values), -np.inf), np.ones(len(values), bool)
        return cls(np.array(values, np.float64), ones, ones, fully_audited, every, np.array(wrong, bool))

    def part(self, where: slice) -> "DrawBatch":
        value, share, floor, fully_audited, audited, wrong = self
        return DrawBatch(value[where], share[where], floor[where], fully_audited[where], audited[where], wrong[where])


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
    """The state of the test: `wealth` holds logarithms of shape (thresholds, bets); `reached` holds the ticket, counted
    from 1, at which each threshold was first certified by its own wealth, or None.
    """

    grid: Floats
    error: float
    risk: float
    wealth: Floats
    reached: list[int | None]
    tickets: int = 0

    @classmethod
    def start(cls, grid: Sequence[float], error: float, risk: float) -> "SequentialTest":
        return cls(np.array(grid, np.float64), error, risk, np.zeros((len(grid), len(BETS))), [None] * len(grid))

    def copy(self) -> "SequentialTest":
        return SequentialTest(self.grid, self.error, self.risk, self.wealth.copy(), list(self.reached), self.tickets)

    @property
    def certified(self) -> int:
        """The number of certified thresholds, from the strictest on."""
        return next((place for place, at in enumerate(self.reached) if at is None), len(self.reached))

    @property
    def threshold(self) -> float | None:
        """The lowest certified threshold, if any."""
        return float(self.grid[self.certified - 1]) if self.certified else None

    def required_log_wealth(self, place: int) -> float:
        """The logarithm of the wealth that certifies this threshold."""
        least = 1.0 if place == 0 else LATER_WEALTH if place < STRICT_THRESHOLDS else LAX_WEALTH
        return math.log(max(1 / self.risk, least))

    def log_wealth(self) -> Floats:
        """The logarithm of each threshold's wealth, over all bets: shape (thresholds,)."""
        return _log_mean(self.wealth, np.stack([bet_weights(place) for place in range(len(self.grid))]))

    def add(self, batch: DrawBatch) -> None:
        """Add further draws, in order."""
        for start in range(0, len(batch.value), CHUNK):
            self._add(batch.part(slice(start, start + CHUNK)))

    def _add(self, batch: DrawBatch) -> None:
        outcome = np.where(batch.audited, batch.wrong / batch.share, 0.0) - self.error
        for place, threshold in enumerate(self.grid):
            counts = batch.value >= threshold
            # Fully audited tickets allow larger bets.
            floor = np.where(threshold >= batch.fully_audited, 1.0, batch.floor)[counts]
            most = 1 / (1 / floor - self.error)
            steps = np.log1p(-most[:, None] * BETS * outcome[counts][:, None])
            path = self.wealth[place] + np.cumsum(steps, axis=0)
            if not len(path):
                continue
            self.wealth[place] = path[-1]
            if self.reached[place] is None:
                there = np.flatnonzero(_log_mean(path, bet_weights(place)) >= self.required_log_wealth(place))
                if len(there):
                    self.reached[place] = self.tickets + int(np.flatnonzero(counts)[there[0]]) + 1
        self.tickets += len(batch.value)

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
        path = self.wealth[place] + tickets[:, None] * gain
        there = np.flatnonzero(_log_mean(path, bet_weights(place)) >= self.required_log_wealth(place))
        # Floating point: 100 * 0.07 is slightly more than 7.
        return int(np.ceil(tickets[there[0]] * floor - 1e-9)) if len(there) else None


def bet_weights(place: int) -> Floats:
    """The shares of the initial wealth by bet, for the threshold at this position of the grid."""
    return STRICT_WEIGHTS if place < STRICT_THRESHOLDS else LAX_WEIGHTS


def _log_mean(wealth: Floats, shares: Floats) -> Floats:
    """The logarithm of the weighted mean over the last axis."""
    most = wealth.max(axis=-1, keepdims=True)
    return np.asarray((most + np.log((shares * np.exp(wealth - most)).sum(axis=-1, keepdims=True)))[..., 0])


def audit_share(tickets: int, early: float, late: float) -> float:
    """The probability that the next ticket is audited, after this many: higher while evidence is scarce."""
    if tickets < 2_000:
        return early
    return max(early / 2, late) if tickets < 5_000 else late


def risk_for_attempt(risk: float, attempt: int) -> float:
    """The part of the risk that an epoch may spend: all of it with fresh audits (attempt 0); with reused ones a part
    that shrinks, such that all attempts together never spend more than the risk.
    """
    return risk / (attempt * (attempt + 1)) if attempt else risk
