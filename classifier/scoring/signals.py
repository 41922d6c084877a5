"""Signals of an answer that are known before anyone says whether it is right.

The specialist predicts every ticket, so its agreement with the answering model is always known.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

UNKNOWN = 0.0
"""The neutral value of a feature whose signal is missing."""
SURE = 0.99
"""Confidences are clipped to this and its complement, since models round."""
TYPICAL_LENGTH = 200
"""Characters of a message of neutral length."""


class AxisSignals(NamedTuple):
    """Signals of one part of an answer, category or sentiment; None if unknown.

    `agrees` is the specialist's agreement, `words_agree` the words-only model's, `probability` the specialist's for
    the label answered, `margin` its lead over the best rival (negative if a rival leads). `own` says whether the model
    itself gave this label, `logprob` is its log-probability of the label that it gave, and `own_margin` that label's
    lead over the model's next best one.
    """

    agrees: bool | None = None
    words_agree: bool | None = None
    probability: float | None = None
    margin: float | None = None
    logprob: float | None = None
    own_margin: float | None = None
    own: bool = True

    @property
    def agreement(self) -> bool | None:
        """Whether the model and the specialist both give this label."""
        return None if self.agrees is None else self.agrees and self.own


class Signals(NamedTuple):
    """Signals of one answer. `confidence` is the model's own; `closeness` the cosine to the nearest label's known
    texts; `length` counts characters.
    """

    confidence: float
    category: AxisSignals = AxisSignals()
    sentiment: AxisSignals = AxisSignals()
    closeness: float | None = None
    length: int = TYPICAL_LENGTH
    foreign: bool = False
    in_front: bool = False

    def as_json(self) -> dict[str, object]:
        return self._asdict() | {"category": self.category._asdict(), "sentiment": self.sentiment._asdict()}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "Signals":
        axes = {name: AxisSignals(**stored[name]) for name in ("category", "sentiment")}  # type: ignore[arg-type]  # stored by as_json
        return cls(**{**stored, **axes})  # type: ignore[arg-type]  # stored by as_json


AXIS_FEATURES = ("agreement", "agreement of words", "probability", "margin", "log-probability", "own margin")
SHARED_FEATURES = ("confidence", "closeness", "length", "foreign", "in front")


def features(signals: Signals, axis: AxisSignals) -> Floats:
    """One part of an answer as numbers centred on zero: AXIS_FEATURES, then SHARED_FEATURES.

    How sure the model is of another label speaks against this one.
    """
    side = 1.0 if axis.own else -1.0
    return np.array(
        [
            _vote(axis.agreement),
            _vote(axis.words_agree),
            UNKNOWN if axis.probability is None else _log_odds(axis.probability),
            UNKNOWN if axis.margin is None else axis.margin,
            UNKNOWN if axis.logprob is None else side * _log_odds(float(np.exp(axis.logprob))),
            UNKNOWN if axis.own_margin is None else side * axis.own_margin,
            side * _log_odds(signals.confidence),
            UNKNOWN if signals.closeness is None else signals.closeness - 0.5,
            float(np.log(max(signals.length, 1) / TYPICAL_LENGTH)),
            float(signals.foreign),
            float(signals.in_front),
        ]
    )


def _vote(agrees: bool | None) -> float:
    return UNKNOWN if agrees is None else (1.0 if agrees else -1.0)


def _log_odds(share: float) -> float:
    share = min(max(share, 1 - SURE), SURE)
    return float(np.log(share / (1 - share)))
