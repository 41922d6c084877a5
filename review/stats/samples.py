"""Shares of items that were drawn with known probabilities, some of which are near-duplicates of each other. Pure.

Each item counts by the inverse of its probability. An interval is Wilson's for as many independent items as the sample
is worth: near-duplicates count as right or wrong together, or by how far groups scatter if that says less.

- Hájek (1971), "Comment on an essay by D. Basu": the weighted mean.
- Kish (1965), "Survey sampling": the effective size under unequal weights.
- Dean and Pagano (2015), "Evaluating confidence interval methods for binomial proportions in clustered surveys":
  Wilson's interval at the effective size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from review.stats.intervals import Estimate, wilson

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The weight of each item, and the group of near-duplicates that it belongs to: both of shape (n,)."""

    weights: Floats
    groups: Ints

    @classmethod
    def drawn(cls, probabilities: npt.ArrayLike, groups: npt.ArrayLike) -> "Sample":
        """`probabilities` are those with which the items were drawn."""
        numbers = np.unique(np.asarray(groups, np.int64), return_inverse=True)[1]
        return cls(1 / np.asarray(probabilities, float), numbers)

    @classmethod
    def independent(cls, n: int) -> "Sample":
        """Items that count alike, none like another."""
        return cls(np.ones(n), np.arange(n))

    def __len__(self) -> int:
        return len(self.weights)

    def part(self, rows: Bools) -> "Sample":
        return Sample(self.weights[rows], self.groups[rows])

    def mean(self, values: npt.ArrayLike) -> float | None:
        """The weighted mean; None without items."""
        return float(np.average(np.asarray(values, float), weights=self.weights)) if len(self) else None

    def by_group(self, values: npt.ArrayLike) -> Floats:
        """The sum of weight times value in each group."""
        return np.asarray(np.bincount(self.groups, self.weights * np.asarray(values, float)), float)

    def effective_size(self, values: npt.ArrayLike) -> float:
        """How many independent items would tell the mean of these values as precisely."""
        values = np.asarray(values, float)
        total, groups, mean = self.weights.sum(), self.by_group(np.ones(len(self))), self.mean(values) or 0.0
        alike = float(total**2 / (groups**2).sum())
        scatter = float((self.by_group(values - mean) ** 2).sum())
        spread = float(self.weights @ (values - mean) ** 2) * float(total)
        return round(min(alike, spread / scatter) if scatter > 0 else alike, 9)

    def share(self, hits: Sequence[bool] | Bools) -> Estimate:
        """The weighted share of hits with its 95% interval. Unknown without items."""
        share = self.mean(hits)
        if share is None:
            return Estimate.unknown()
        size = self.effective_size(hits)
        return Estimate(share, *wilson(share * size, size), len(self))
