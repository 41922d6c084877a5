"""Compares a trained head with the live one on examples that neither has seen."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.learning.examples import Examples
from classifier.learning.heads import BoundHead, Head, HeldOutRecord, OfferedLabel
from classifier.learning.training import FEWEST, brier

CRITICAL_VALUE = 1.645
"""Standard errors by which a candidate must win: a one-sided 5% test."""


class Comparison(NamedTuple):
    """A candidate against the live version on examples that neither had seen: all of them, `weighted` by the traffic
    they represent, or only the random sample.
    """

    items: int
    accuracy_before: float
    accuracy: float
    gain: float
    error: float
    groups: int
    """Of near-duplicates; only these are independent."""
    weighted: bool = False
    random_sample: bool = False

    @property
    def wins(self) -> bool:
        """Significantly better by the Brier score, and no less accurate."""
        return (
            self.groups >= FEWEST and self.gain > CRITICAL_VALUE * self.error and self.accuracy >= self.accuracy_before
        )

    @classmethod
    def nothing(cls) -> "Comparison":
        return cls(0, 0.0, 0.0, 0.0, 0.0, 0)


def compare(candidate: Head, incumbent: Head, examples: Examples, offered: Sequence[OfferedLabel]) -> Comparison:
    """Paired comparison on examples held out from both, and those that the incumbent has never seen.

    Examples chosen because models were unsure are unlike incoming traffic. So a candidate that does not win on all
    examples may win where each counts by the traffic it represents (Shimodaira 2000, on covariate shift), or on the
    random sample.
    """
    before = _incumbent_losses(incumbent, examples, offered)
    after = _losses_by_example(candidate.record)
    common = sorted(after.keys() & before.keys())
    weights = dict(zip(examples.keys.tolist(), examples.weights.tolist(), strict=True))
    random_sample = dict.fromkeys(examples.keys[examples.random_sample].tolist(), 1.0)
    groups = dict(zip(examples.keys.tolist(), examples.groups.tolist(), strict=True))
    on_all = _compared(before, after, common, dict.fromkeys(weights, 1.0), groups)
    weighted = _compared(before, after, common, weights, groups)._replace(weighted=True)
    drawn = [pair for pair in common if pair[0] in random_sample]
    on_random_sample = _compared(before, after, drawn, random_sample, groups)._replace(random_sample=True)
    return next((comparison for comparison in (on_all, weighted, on_random_sample) if comparison.wins), on_all)


Losses = dict[tuple[int, int], tuple[float, int]]
"""By example and label, the loss and whether it was right."""


def _compared(
    before: Losses,
    after: Losses,
    common: Sequence[tuple[int, int]],
    weights: Mapping[int, float],
    groups: Mapping[int, int],
) -> Comparison:
    if not common:
        return Comparison.nothing()
    shares = np.array([weights[example] for example, _label in common])
    shares /= shares.sum()
    gains = np.array([before[pair][0] - after[pair][0] for pair in common])
    gain = float(shares @ gains)
    places = np.unique([groups[example] for example, _label in common], return_inverse=True)[1]
    return Comparison(
        items=len(common),
        accuracy_before=float(shares @ [before[pair][1] for pair in common]),
        accuracy=float(shares @ [after[pair][1] for pair in common]),
        gain=gain,
        error=_jackknife_error(np.bincount(places, shares), np.bincount(places, shares * (gains - gain))),
        groups=int(places.max()) + 1,
    )


def _jackknife_error(shares: npt.NDArray[Any], deviations: npt.NDArray[Any]) -> float:
    """The standard error of a mean by leaving out each group of near-duplicates, which are no independent evidence
    (Quenouille 1956). Both hold sums by group.
    """
    if len(shares) < 2:
        return 0.0
    changes = deviations / (1 - shares)
    return sqrt((len(shares) - 1) / len(shares) * changes @ changes)


def _losses_by_example(record: HeldOutRecord) -> Losses:
    return {
        (int(example), int(label)): (float(loss), int(right))
        for example, label, loss, right in zip(record.examples, record.labels, record.losses, record.right, strict=True)
    }


def _incumbent_losses(head: Head, examples: Examples, offered: Sequence[OfferedLabel]) -> Losses:
    rows = {key: number for number, label in enumerate(offered) for key in label.keys}
    seen = set(head.seen.tolist())
    unseen = np.array(
        [
            number
            for number, (key, label) in enumerate(zip(examples.keys, examples.labels, strict=True))
            if int(key) not in seen and int(label) in rows
        ],
        np.int64,
    )
    losses = _losses_by_example(head.record)
    if len(unseen):
        part = examples.part(unseen)
        labels = np.array([rows[int(label)] for label in part.labels], np.int64)
        probabilities = BoundHead(head, offered).probabilities(part.embeddings, part.texts)
        right = probabilities.argmax(axis=1) == labels
        for key, label, loss, hit in zip(part.keys, part.labels, brier(probabilities, labels), right, strict=True):
            losses[int(key), int(label)] = (float(loss), int(hit))
    return losses
