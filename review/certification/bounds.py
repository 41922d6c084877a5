"""What audits say of the share of wrong tickets: an estimate, bounds for one look, and closed forms. Pure.

- Clopper and Pearson (1934): the exact bound for one look.
- Hájek (1971): the ratio estimate under unequal probabilities.
"""

from __future__ import annotations

import math

import numpy as np

from review.certification.sequential_test import Lot
from review.stats.agreement import Estimate, wilson


def upper(wrong: int, audits: int, risk: float) -> float:
    """The largest share of wrong ones that so few found do not speak against, for one look (Clopper-Pearson)."""
    from scipy.stats import beta  # which takes much memory, and no page needs

    return 1.0 if wrong >= audits else float(beta.ppf(1 - risk, wrong + 1, audits - wrong))


def log_wealth(wrong: int, audits: int, error: float) -> float:
    """The closed form of the bet for audits of one probability, with all shares up to `error` as likely beforehand:
    the logarithm of a mean of likelihood ratios, which needs no correction for looking at any time.
    """
    from scipy.special import betainc, betaln

    first, second = wrong + 1.0, audits - wrong + 1.0
    likely = betainc(first, second, error)
    if likely <= 0:
        return -math.inf
    against = wrong * math.log(error) + (audits - wrong) * math.log1p(-error)
    return float(betaln(first, second) + math.log(likely) - math.log(error) - against)


def fewest_clean(error: float, risk: float) -> int:
    """Audits without an error below which no test can certify, however it looks at them."""
    return math.ceil(math.log(risk) / math.log1p(-error))


def left_in_batch(tickets: int, audits: int, wrong: int, risk: float) -> float:
    """The share of wrong ones that may be left among so many accepted tickets, of which some were audited and those
    found wrong put right; for one look.
    """
    from scipy.stats import hypergeom

    numbers = np.arange(wrong, tickets - audits + wrong + 1)
    possible = numbers[hypergeom.cdf(wrong, tickets, numbers, audits) > risk]
    return float(possible.max() - wrong) / tickets if len(possible) else 0.0


def share_wrong(lot: Lot, threshold: float) -> Estimate:
    """Of the tickets that score at least `threshold` the estimated share of wrong ones, each audit weighed by how many
    tickets it stands for; with an interval (Wilson's, of the number of equal audits that tell as much).
    """
    counts = lot.audited & (lot.value >= threshold)
    weights, wrong = 1 / lot.share[counts], lot.wrong[counts]
    if not len(weights):
        return Estimate(None, None, None, 0)
    found = float((weights * wrong).sum() / weights.sum())
    equal = float(weights.sum() ** 2 / (weights**2).sum())
    return Estimate(found, *wilson(found * equal, equal), int(counts.sum()))
