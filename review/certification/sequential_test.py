"""Which threshold is certified: the fixed-sequence, anytime-valid test over a grid of thresholds. Pure.

For each threshold t the hypothesis is that more than the share `error` of the tickets that score at least t is wrong.
A gambler bets against it, with the money of one: for a ticket that scores at least t and was audited with probability
p, the outcome is w = wrong / p - error (-error where it was not audited), which is above zero on average if the
hypothesis is true, so that wealth, multiplied by 1 - bet * w each time, then never grows on average. The probability
that it ever reaches 1 / risk is then `risk` at most, however often one looks (Ville's inequality). Several bets are
made side by side, and wealth is their weighted mean. Thresholds are tried from strict to lax, each only after those
before it: the first for which the hypothesis is true stops the sequence with probability 1 - risk, so that nothing is
to be corrected for their number.

- Ville (1939); Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting".
- Xu, Karampatziakis and Mineiro (2024), "Active, anytime-valid risk controlling prediction sets": audits with known
  probabilities.
- Angelopoulos et al. (2021), "Learn then test": the fixed sequence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BETS = np.array([0.97, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2])
"""As shares of what one may bet at most. The best bet at a true share of wrong tickets r is 1 - r / error."""
STRICT_WEIGHTS = np.array([0.2, 0.25, 0.2, 0.15, 0.1, 0.06, 0.04])
"""The shares of the first money for strict thresholds: most on promises that hold with room to spare."""
LAX_WEIGHTS = np.array([0.0, 0.0, 0.05, 0.2, 0.3, 0.25, 0.2])
"""For lax ones, where the true share is near the limit and small bets win most. Large ones would certify what is just
beyond it by a lucky run without errors: where the true share is r, a bet c ever wins 1 / risk with a probability of
about risk ** (1 + 2 * (r - error) / (c * r)), as for a random walk with this drift and variance.
"""
STRICT_THRESHOLDS = 12
"""So many thresholds of a grid are strict."""
LATER_WEALTH, LAX_WEALTH = 54.0, 120.0
"""What thresholds after the first have to win at least, and what lax ones have to, whatever the risk: they are worth
less than the first, and more often just beyond the limit.
"""
COVERAGES = np.arange(0.4, 0.95, 0.02)
"""The shares of all tickets that the thresholds of a grid would let pass."""
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
    def of(cls, rows: Sequence[tuple[float, float, float, float, bool, bool]]) -> DrawBatch:
        columns = np.array(rows, np.float64).reshape(len(rows), 6).T
        value, share, floor, fully_audited, audited, wrong = columns
        return cls(value, share, floor, fully_audited, audited.astype(bool), wrong.astype(bool))

    @classmethod
    def audits(cls, values: Sequence[float], wrong: Sequence[bool]) -> DrawBatch:
        """Audits that were drawn with one probability, whatever they score."""
        ones = np.ones(len(values))
        fully_audited, every = np.full(len(values), -np.inf), np.ones(len(values), bool)
        return cls(np.array(values, np.float64), ones, ones, fully_audited, every, np.array(wrong, bool))

    def part(self, where: slice) -> DrawBatch:
        value, share, floor, fully_audited, audited, wrong = self
        return DrawBatch(value[where], share[where], floor[where], fully_audited[where], audited[where], wrong[where])


def fully_audited_from(audits_from: float, passes_from: float | None) -> float:
    """From which score on everything was audited because nothing passed; infinite where something did."""
    return audits_from if passes_from is None else math.inf


def threshold_grid(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Thresholds, strictest first, and the share of these scores at or above each. The scores must be of tickets that
    are no evidence themselves. Equal scores stay together.
    """
    found = np.sort(np.array(values, np.float64))
    wanted = np.quantile(found, 1 - COVERAGES, method="higher")
    grid = sorted({float(one) for one in wanted}, reverse=True)
    return grid, [float((found >= one).mean()) for one in grid]


@dataclass(slots=True)
class SequentialTest:
    """What has been won so far: `wealth` of shape (thresholds, bets), as logarithms; `reached` says of each threshold
    at which ticket (counted from 1) its wealth first sufficed, or None.
    """

    grid: Floats
    error: float
    risk: float
    wealth: Floats
    reached: list[int | None]
    tickets: int = 0

    @classmethod
    def start(cls, grid: Sequence[float], error: float, risk: float) -> SequentialTest:
        return cls(np.array(grid, np.float64), error, risk, np.zeros((len(grid), len(BETS))), [None] * len(grid))

    def copy(self) -> SequentialTest:
        return SequentialTest(self.grid, self.error, self.risk, self.wealth.copy(), list(self.reached), self.tickets)

    @property
    def certified(self) -> int:
        """How many thresholds are, counted from the strictest."""
        return next((place for place, at in enumerate(self.reached) if at is None), len(self.reached))

    @property
    def threshold(self) -> float | None:
        """The lowest that is certified, if any is."""
        return float(self.grid[self.certified - 1]) if self.certified else None

    def required_log_wealth(self, place: int) -> float:
        """The logarithm of the wealth that certifies this threshold."""
        least = 1.0 if place == 0 else LATER_WEALTH if place < STRICT_THRESHOLDS else LAX_WEALTH
        return math.log(max(1 / self.risk, least))

    def log_wealth(self) -> Floats:
        """The logarithm of each threshold's wealth, over all bets: shape (thresholds,)."""
        return _log_mean(self.wealth, np.stack([bet_weights(place) for place in range(len(self.grid))]))

    def add(self, batch: DrawBatch) -> None:
        """Go through further tickets, in order."""
        for start in range(0, len(batch.value), CHUNK):
            self._add(batch.part(slice(start, start + CHUNK)))

    def _add(self, batch: DrawBatch) -> None:
        outcome = np.where(batch.audited, batch.wrong / batch.share, 0.0) - self.error
        for place, threshold in enumerate(self.grid):
            counts = batch.value >= threshold
            # While nothing passed, everything from the shadow on was audited, and more may be bet on it.
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
        """How many further audits without a single error would certify the next threshold, if each ticket that counts
        is audited with probability `floor`; None where that takes more than `most`, or all are certified.
        """
        place = self.certified
        if place == len(self.grid):
            return None
        # A ticket that is not audited counts as much as a clean one: only every 1 / floor-th costs an audit.
        gain = np.log1p(BETS * self.error / (1 / floor - self.error))
        tickets = np.arange(1, int(most / floor) + 1)
        path = self.wealth[place] + tickets[:, None] * gain
        there = np.flatnonzero(_log_mean(path, bet_weights(place)) >= self.required_log_wealth(place))
        # 100 * 0.07 is a little more than 7.
        return int(np.ceil(tickets[there[0]] * floor - 1e-9)) if len(there) else None


def bet_weights(place: int) -> Floats:
    """The shares of the first money, by bet, for the threshold at this place of a grid."""
    return STRICT_WEIGHTS if place < STRICT_THRESHOLDS else LAX_WEIGHTS


def _log_mean(wealth: Floats, shares: Floats) -> Floats:
    """The logarithm of the weighted mean over the last axis."""
    most = wealth.max(axis=-1, keepdims=True)
    return np.asarray((most + np.log((shares * np.exp(wealth - most)).sum(axis=-1, keepdims=True)))[..., 0])


def audit_share(tickets: int, early: float, late: float) -> float:
    """The share that the next ticket is audited with, after so many: much at first, when it tells most."""
    if tickets < 2_000:
        return early
    return max(early / 2, late) if tickets < 5_000 else late


def risk_for_attempt(risk: float, attempt: int) -> float:
    """What of a risk an epoch may spend that is judged by audits used before: with attempts counted from 1, these add
    up to the whole however many there are; audits used for the first time (0) may spend all of it.
    """
    return risk / (attempt * (attempt + 1)) if attempt else risk
