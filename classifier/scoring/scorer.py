"""Estimates P(correct): a logistic regression on an answer's signals, shrunk towards built-in weights.

With few labels it stays near those; with many the data decide, and each category gets its own offset (a random
intercept). Category and sentiment are fitted separately; “both” is fitted on the product of the two.

The built-in weights are rounded from logistic regressions on Banking77 with second families of 60%, 82% and 90%
accuracy. Newton's method on the penalised likelihood: le Cessie and van Houwelingen (1992), "Ridge estimators in
logistic regression".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from classifier.scoring.signals import AXIS_FEATURES, SHARED_FEATURES, Floats, Signals, features

WIDTH = len(AXIS_FEATURES) + len(SHARED_FEATURES) + 1
"""Features of one part of an answer, and a constant."""
BUILT_IN = np.array([0.3, 0.6, 0.1, 2.0, 0.3, 0.0, 0.7, 0.5, 0.0, -1.0, 0.0, 0.5])
PRECISION = np.array([10.0] * (WIDTH - 1) + [1.0])
"""Prior precision around the built-in weights; lower for the constant, as accuracy differs most."""
OFFSET_PRECISION = 4.0
STEPS, TOLERANCE = 30, 1e-8
INVALID_WEIGHTS = "These weights do not fit this scorer; fit it again."


class Probabilities(NamedTuple):
    """The probabilities that an answer's category, its sentiment and both are right."""

    category: float
    sentiment: float
    both: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScorerWeights:
    """Weights per part of an answer, of shape (WIDTH,); an offset per category key; and slope and constant for both."""

    category: Floats
    sentiment: Floats
    offsets: Mapping[int, float]
    both: Floats

    @classmethod
    def built_in(cls) -> "ScorerWeights":
        return cls(category=BUILT_IN, sentiment=BUILT_IN, offsets={}, both=np.array([1.0, 0.0]))

    def as_json(self) -> dict[str, object]:
        rows = {name: [float(weight) for weight in getattr(self, name)] for name in ("category", "sentiment", "both")}
        return rows | {"offsets": {str(key): float(offset) for key, offset in self.offsets.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "ScorerWeights":
        """Raises ValueError if the data is not what `as_json` returns."""
        wanted = {"category": (WIDTH,), "sentiment": (WIDTH,), "both": (2,)}
        try:
            rows = {name: np.array(stored[name], np.float64) for name in wanted}
            offsets = {int(key): float(offset) for key, offset in dict(stored["offsets"]).items()}  # type: ignore[call-overload]  # else it is refused
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(INVALID_WEIGHTS) from error
        numbers = np.concatenate([row.ravel() for row in rows.values()] + [list(offsets.values())])
        if {name: row.shape for name, row in rows.items()} != wanted or not np.isfinite(numbers).all():
            raise ValueError(INVALID_WEIGHTS)
        return cls(offsets=offsets, **rows)

    def probabilities(self, signals: Signals, category: int) -> Probabilities:
        """The probabilities for an answer that chose the category with this key."""
        of_category = _row(signals, "category") @ self.category + self.offsets.get(category, 0.0)
        of_sentiment = _row(signals, "sentiment") @ self.sentiment
        shares = _sigmoid(np.array([of_category, of_sentiment]))
        gradient, constant = self.both
        both = _sigmoid(np.array([gradient * _log_odds_of(shares.prod(keepdims=True))[0] + constant]))
        return Probabilities(float(shares[0]), float(shares[1]), float(both[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswers:
    """Answers that people have judged: signals, category keys, and what was right."""

    signals: Sequence[Signals]
    categories: Sequence[int]
    category_right: Sequence[bool]
    sentiment_right: Sequence[bool]

    def __len__(self) -> int:
        return len(self.signals)

    def part(self, rows: Sequence[int]) -> "JudgedAnswers":
        fields = ("signals", "categories", "category_right", "sentiment_right")
        return JudgedAnswers(**{name: [getattr(self, name)[row] for row in rows] for name in fields})

    @property
    def both_right(self) -> list[bool]:
        return [
            category and sentiment
            for category, sentiment in zip(self.category_right, self.sentiment_right, strict=True)
        ]


def fit(judged: JudgedAnswers) -> ScorerWeights:
    """The best weights for these answers, shrunk towards the built-in ones when there are few."""
    if not len(judged):
        return ScorerWeights.built_in()
    known = sorted(set(judged.categories))
    places = [known.index(category) for category in judged.categories]
    rows = np.stack([_row(signals, "category") for signals in judged.signals])
    own = np.eye(len(known))[places]
    prior_mean = np.concatenate([BUILT_IN, np.zeros(len(known))])
    precision = np.concatenate([PRECISION, np.full(len(known), OFFSET_PRECISION)])
    category = _newton_fit(np.hstack([rows, own]), judged.category_right, prior_mean, precision)
    sentiments = np.stack([_row(signals, "sentiment") for signals in judged.signals])
    sentiment = _newton_fit(sentiments, judged.sentiment_right, BUILT_IN, PRECISION)
    offsets = dict(zip(known, (float(weight) for weight in category[WIDTH:]), strict=True))
    separate = ScorerWeights(category=category[:WIDTH], sentiment=sentiment, offsets=offsets, both=np.array([1.0, 0.0]))
    return replace(separate, both=_fit_both(separate, judged))


def _fit_both(separate: ScorerWeights, judged: JudgedAnswers) -> Floats:
    answers = [separate.probabilities(*answer) for answer in zip(judged.signals, judged.categories, strict=True)]
    products = _log_odds_of(np.array([answer.category * answer.sentiment for answer in answers]))
    rows = np.stack([products, np.ones(len(products))], axis=1)
    return _newton_fit(rows, judged.both_right, np.array([1.0, 0.0]), np.array([10.0, 10.0]))


def log_loss(weights: ScorerWeights, judged: JudgedAnswers, part: str = "both", rivals: int = 1) -> Floats:
    """The log-loss in nats of each answer's being right in this part: shape (len(judged),).

    With more than one rival it is the log-loss of the right label, where the rivals of a wrong answer share evenly what
    it leaves. So answers by different models can be compared.
    """
    probabilities = [
        getattr(weights.probabilities(*answer), part) for answer in zip(judged.signals, judged.categories, strict=True)
    ]
    shares, right = np.clip(np.array(probabilities), 1e-6, 1 - 1e-6), np.array(getattr(judged, f"{part}_right"))
    return np.asarray(np.where(right, -np.log(shares), np.log(max(rivals, 1)) - np.log1p(-shares)))


def _row(signals: Signals, name: str) -> Floats:
    return np.append(features(signals, getattr(signals, name)), 1.0)


def _newton_fit(rows: Floats, right: Sequence[bool], prior_mean: Floats, precision: Floats) -> Floats:
    """`rows` has shape (n, k); `prior_mean` and `precision` have shape (k,)."""
    wanted = np.array(right, np.float64)
    weights = prior_mean.copy()
    for _step in range(STEPS):
        shares = _sigmoid(rows @ weights)
        gradient = rows.T @ (shares - wanted) + precision * (weights - prior_mean)
        hessian = (rows * (shares * (1 - shares))[:, None]).T @ rows + np.diag(precision)
        step = np.linalg.solve(hessian, gradient)
        # Far from the solution a full step would overshoot.
        weights = weights - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < TOLERANCE:
            break
    return weights


def _sigmoid(scores: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(scores, -30, 30)))


def _log_odds_of(shares: Floats) -> Floats:
    shares = np.clip(shares, 1e-9, 1 - 1e-9)
    return np.log(shares / (1 - shares))
