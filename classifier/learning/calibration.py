"""Calibrates probabilities: a temperature, and isotonic steps once there are many labels.

Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks"; Zadrozny and Elkan (2002),
"Transforming classifier scores into accurate multiclass probability estimates".
"""

from typing import NamedTuple

import numpy as np

from classifier.learning.vector_space import Floats, Ints

ENOUGH_FOR_STEPS = 1_000
"""Held-out examples above which isotonic steps beat a temperature alone."""
LOWEST, HIGHEST = 0.2, 8.0
"""Temperatures; of few examples that are all told apart the best would be none at all, and sure of everything."""


class IsotonicSteps(NamedTuple):
    """A rising piecewise linear map of probabilities; empty means unchanged."""

    given: Floats
    true: Floats

    @classmethod
    def none(cls) -> "IsotonicSteps":
        return cls(np.zeros(0, np.float32), np.zeros(0, np.float32))

    def __call__(self, probabilities: Floats) -> Floats:
        if not len(self.given):
            return probabilities
        return np.asarray(np.interp(probabilities, self.given, self.true), np.float32)


def softmax(scores: Floats, temperature: float) -> Floats:
    """Probabilities of shape (n, labels) from scores of that shape."""
    shares = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def fit_temperature(scores: Floats, labels: Ints, lowest: float = LOWEST) -> tuple[float, float]:
    """The temperature that minimises the log-loss of `labels` (columns of `scores`), and that mean log-loss in nats."""
    from scipy.optimize import minimize_scalar  # which only a training needs, as what follows
    from scipy.special import log_softmax

    rows = np.arange(len(labels))

    def log_loss(log_temperature: float) -> float:
        return -float(log_softmax(scores / np.exp(log_temperature), axis=1)[rows, labels].mean())

    minimum = minimize_scalar(log_loss, bounds=np.log([lowest, HIGHEST]), method="bounded", options={"xatol": 0.01})
    return float(np.exp(minimum.x)), float(minimum.fun)


def fit_isotonic_steps(confidences: Floats, right: Ints) -> IsotonicSteps:
    """The isotonic map from confidence to accuracy; none below ENOUGH_FOR_STEPS examples."""
    from sklearn.isotonic import IsotonicRegression

    if len(confidences) < ENOUGH_FOR_STEPS:
        return IsotonicSteps.none()
    fitted = IsotonicRegression(y_min=0.01, y_max=0.99, out_of_bounds="clip").fit(confidences, right)
    return IsotonicSteps(np.asarray(fitted.X_thresholds_, np.float32), np.asarray(fitted.y_thresholds_, np.float32))
