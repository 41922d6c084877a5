"""What audits say of the share of wrong tickets: the ratio estimate under unequal probabilities (Hájek, 1971), and the
fewest audits that can certify. Pure.
"""

from __future__ import annotations

import math

from review.certification.sequential_test import DrawBatch
from review.stats.intervals import Estimate, wilson


def min_clean_audits(error: float, risk: float) -> int:
    """Audits without an error below which no test can certify, however it looks at them."""
    return math.ceil(math.log(risk) / math.log1p(-error))


def estimated_error(batch: DrawBatch, threshold: float) -> Estimate:
    """Of the tickets that score at least `threshold` the estimated share of wrong ones, each audit weighed by how many
    tickets it stands for; with an interval (Wilson's, of the number of equal audits that tell as much).
    """
    counts = batch.audited & (batch.value >= threshold)
    weights, wrong = 1 / batch.share[counts], batch.wrong[counts]
    if not len(weights):
        return Estimate.unknown()
    found = float((weights * wrong).sum() / weights.sum())
    equal = float(weights.sum() ** 2 / (weights**2).sum())
    return Estimate(found, *wilson(found * equal, equal), int(counts.sum()))
