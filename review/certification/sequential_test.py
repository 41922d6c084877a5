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
BOLD = np.array([0.2, 0.25, 0.2, 0.15, 0.1, 0.06, 0.04])
"""The shares of the first money for strict thresholds: most on promises that hold with room to spare."""
CAREFUL = np.array([0.0, 0.0, 0.05, 0.2, 0.3, 0.25, 0.2])
"""For lax ones, where the true share is near the limit and small bets win most. Large ones would certify what is just
beyond it by a lucky run without errors: where the true share is r, a bet c ever wins 1 / risk with a probability of
about risk ** (1 + 2 * (r - error) / (c * r)), as for a random walk with this drift and variance.
"""
STRICT = 12
"""So many thresholds of a grid are strict."""
LATER, LAX = 54.0, 120.0
"""What thresholds after the first have to win at least, and what lax ones have to, whatever the risk: they are worth
less than the first, and more often just beyond the limit.
"""
COVERAGES = np.arange(0.4, 0.95, 0.02)
"""The shares of all tickets that the thresholds of a grid would let pass."""
CHUNK = 4_096


class Lot(NamedTuple):
    """Tickets in the order of their draws, as columns of one length: what they scored, the probability that each was
    audited with, the least that any was audited with then, whether it was, and whether it is wrong (of those that were
    not audited it does not matter). `shadow` is the score from which on every ticket was audited while none passed,
    and infinite while some did.
    """

    value: Floats
    share: Floats
    floor: Floats
    shadow: Floats
    audited: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, float, float, bool, bool]]) -> Lot:
        columns = np.array(rows, np.float64).reshape(len(rows), 6).T
        value, share, floor, shadow, audited, wrong = columns
        return cls(value, share, floor, shadow, audited.astype(bool), wrong.astype(bool))

    @classmethod
    def audits(cls, values: Sequence[float], wrong: Sequence[bool]) -> Lot:
        """Audits that were drawn with one probability, whatever they score."""
        ones = np.ones(len(values))
        shadow, every = np.full(len(values), -np.inf), np.ones(len(values), bool)
        return cls(np.array(values, np.float64), ones, ones, shadow, every, np.array(wrong, bool))

    def part(self, where: slice) -> Lot:
        value, share, floor, shadow, audited, wrong = self
        return Lot(value[where], share[where], floor[where], shadow[where], audited[where], wrong[where])


def shadow_of(audits_from: float, passes_from: float | None) -> float:
    """From which score on everything was audited because nothing passed; infinite where something did."""
    return audits_from if passes_from is None else math.inf


def grid_of(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Thresholds, strictest first, and the share of these scores at or above each. The scores must be of tickets that
    are no evidence themselves. Equal scores stay together.
    """
    found = np.sort(np.array(values, np.float64))
    wanted = np.quantile(found, 1 - COVERAGES, method="higher")
    grid = sorted({float(one) for one in wanted}, reverse=True)
    return grid, [float((found >= one).mean()) for one in grid]


@dataclass(slots=True)
class Book:
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
    def opened(cls, grid: Sequence[float], error: float, risk: float) -> Book:
        return cls(np.array(grid, np.float64), error, risk, np.zeros((len(grid), len(BETS))), [None] * len(grid))

    def copy(self) -> Book:
        return Book(self.grid, self.error, self.risk, self.wealth.copy(), list(self.reached), self.tickets)

    @property
    def certified(self) -> int:
        """How many thresholds are, counted from the strictest."""
        return next((place for place, at in enumerate(self.reached) if at is None), len(self.reached))

    @property
    def threshold(self) -> float | None:
        """The lowest that is certified, if any is."""
        return float(self.grid[self.certified - 1]) if self.certified else None

    def enough(self, place: int) -> float:
        """The logarithm of the wealth that certifies this threshold."""
        least = 1.0 if place == 0 else LATER if place < STRICT else LAX
        return math.log(max(1 / self.risk, least))

    def money(self) -> Floats:
        """The logarithm of each threshold's wealth, over all bets: shape (thresholds,)."""
        return _together(self.wealth, np.stack([stakes(place) for place in range(len(self.grid))]))

    def add(self, lot: Lot) -> None:
        """Go through further tickets, in order."""
        for start in range(0, len(lot.value), CHUNK):
            self._add(lot.part(slice(start, start + CHUNK)))

    def _add(self, lot: Lot) -> None:
        outcome = np.where(lot.audited, lot.wrong / lot.share, 0.0) - self.error
        for place, threshold in enumerate(self.grid):
            counts = lot.value >= threshold
            # While nothing passed, everything from the shadow on was audited, and more may be bet on it.
            floor = np.where(threshold >= lot.shadow, 1.0, lot.floor)[counts]
            most = 1 / (1 / floor - self.error)
            steps = np.log1p(-most[:, None] * BETS * outcome[counts][:, None])
            path = self.wealth[place] + np.cumsum(steps, axis=0)
            if not len(path):
                continue
            self.wealth[place] = path[-1]
            if self.reached[place] is None:
                there = np.flatnonzero(_together(path, stakes(place)) >= self.enough(place))
                if len(there):
                    self.reached[place] = self.tickets + int(np.flatnonzero(counts)[there[0]]) + 1
        self.tickets += len(lot.value)

    def clean_audits_needed(self, floor: float = 1.0, most: int = 5_000) -> int | None:
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
        there = np.flatnonzero(_together(path, stakes(place)) >= self.enough(place))
        # 100 * 0.07 is a little more than 7.
        return int(np.ceil(tickets[there[0]] * floor - 1e-9)) if len(there) else None


def stakes(place: int) -> Floats:
    """The shares of the first money, by bet, for the threshold at this place of a grid."""
    return BOLD if place < STRICT else CAREFUL


def _together(wealth: Floats, shares: Floats) -> Floats:
    """The logarithm of the weighted mean over the last axis."""
    most = wealth.max(axis=-1, keepdims=True)
    return np.asarray((most + np.log((shares * np.exp(wealth - most)).sum(axis=-1, keepdims=True)))[..., 0])


def share_of_audits(tickets: int, early: float, late: float) -> float:
    """The share that the next ticket is audited with, after so many: much at first, when it tells most."""
    if tickets < 2_000:
        return early
    return max(early / 2, late) if tickets < 5_000 else late


def risk_left(risk: float, attempt: int) -> float:
    """What of a risk an epoch may spend that is judged by audits used before: with attempts counted from 1, these add
    up to the whole however many there are; audits used for the first time (0) may spend all of it.
    """
    return risk / (attempt * (attempt + 1)) if attempt else risk
