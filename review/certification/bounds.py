"""The error rate that audits estimate, the most errors they leave, and the fewest that can certify a target. Pure.

- Hájek (1971): the ratio estimate under unequal sampling probabilities.
- Howard, Ramdas, McAuliffe and Sekhon (2020), "Time-uniform Chernoff bounds via nonnegative supermartingales".
"""

import math

import numpy as np
import numpy.typing as npt

from review.certification.sequential_test import DrawBatch, Floats
from review.stats.intervals import Estimate, wilson

Bools = npt.NDArray[np.bool_]


def min_clean_audits(error: float, risk: float) -> int:
    """The fewest audits without an error with which any test could certify this error rate at this risk."""
    return math.ceil(math.log(risk) / math.log1p(-error))


def estimated_error(batch: DrawBatch, threshold: float) -> Estimate:
    """The estimated share of wrong tickets among those that score at least `threshold`.

    Each audit is weighted by the inverse of its probability; the interval is Wilson's for the effective sample size.
    """
    counts = batch.audited & (batch.value >= threshold)
    weights, wrong = 1 / batch.share[counts], batch.wrong[counts]
    if not len(weights):
        return Estimate.unknown()
    error = float((weights * wrong).sum() / weights.sum())
    effective_n = float(weights.sum() ** 2 / (weights**2).sum())
    return Estimate(error, *wilson(error * effective_n, effective_n), int(counts.sum()))


PATIENCE = np.array([0.2, 0.4, 0.6, 0.8, 0.95])
"""How strongly each of the bounds that share the risk reacts to a found error, as shares of the strongest reaction."""


def most_overlooked(share: Floats, found: Bools, risk: float) -> float:
    """The most wrong ones among tickets that passed without an audit, except with probability `risk`, however often one
    looks and whatever the order and likeness of tickets: only the draws have to be random.

    `share` is each passing ticket's audit probability, and `found` is whether an audit found it wrong. For a wrong
    ticket, exp(c - a * audited) is 1 on average if exp(-a) = 1 - (1 - exp(-c)) / share, so the product over all tickets
    reaches 1 / risk with at most that probability.
    """
    if not len(share):
        return 0.0
    # With a share of 1 nothing passes without an audit, and every wrong ticket is found.
    drawn, errors = share[share < 1], found[share < 1]
    if not len(drawn):
        return 0.0
    reaction = -np.log1p(-PATIENCE * float(drawn.min()))
    weights = -np.log1p(-(1 - np.exp(-reaction)) / drawn[errors][:, None])
    most = (weights.sum(axis=0) + math.log(len(PATIENCE) / risk)) / reaction
    return max(float(most.min()) - int(errors.sum()), 0.0)
