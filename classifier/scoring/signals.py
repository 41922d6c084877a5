"""What can be seen of an answer without knowing whether it is right.

A second family's word is a *witness*: it is asked about every ticket, so that whether it agrees is always known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

UNKNOWN = 0.0
"""The value of a feature whose signal is missing; all are centred so that it speaks neither for nor against."""
SURE = 0.99
"""Confidences beyond it, and below its counterpart, are taken for it: models round."""
TYPICAL_LENGTH = 200
"""Characters of a message whose length says nothing."""


class AxisSignals(NamedTuple):
    """What is seen of one part of an answer, category or sentiment. None where nobody was there to say it.

    `agrees` is of the witness, `words_agree` of the family of words alone, `probability` the witness's for the label
    that was answered, `margin` how far that is above its best rival (negative where a rival is ahead), `logprob` the
    log-probability that the model itself gave the label's tokens.
    """

    agrees: bool | None = None
    words_agree: bool | None = None
    probability: float | None = None
    margin: float | None = None
    logprob: float | None = None


class Signals(NamedTuple):
    """Of one answer. `confidence` is what the model said of itself; `closeness` the cosine to the nearest label's known
    texts; `length` in characters.
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
    def from_json(cls, stored: Mapping[str, object]) -> Signals:
        axes = {name: AxisSignals(**stored[name]) for name in ("category", "sentiment")}  # type: ignore[arg-type]  # stored by as_json
        return cls(**{**stored, **axes})  # type: ignore[arg-type]  # stored by as_json


AXIS_FEATURES = ("agreement", "agreement of words", "probability", "margin", "log-probability")
SHARED_FEATURES = ("confidence", "closeness", "length", "foreign", "in front")


def features(signals: Signals, axis: AxisSignals) -> Floats:
    """One axis of an answer as numbers around zero: OF_AXIS, then OF_ALL."""
    return np.array(
        [
            _vote(axis.agrees),
            _vote(axis.words_agree),
            UNKNOWN if axis.probability is None else _log_odds(axis.probability),
            UNKNOWN if axis.margin is None else axis.margin,
            UNKNOWN if axis.logprob is None else _log_odds(float(np.exp(axis.logprob))),
            _log_odds(signals.confidence),
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
