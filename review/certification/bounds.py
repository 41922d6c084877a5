"""The error rate that audits estimate, and the fewest audits that can certify a target. Pure.

Hájek (1971): the ratio estimate under unequal sampling probabilities.
"""

import math

from review.certification.sequential_test import DrawBatch
from review.stats.intervals import Estimate, wilson


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
