"""A linear correction of prototypes: multinomial logistic regression with a normal prior centred on no correction."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.learning.vector_space import Floats, Ints

SHARPNESS = 20.0
"""softmax(20 x cosine) is a usable first confidence for sentence encoders."""
PRIORS = (1.0, 0.1)
"""One over the variance of the prior. Few labels with many examples each need a strong one, many labels a weak one."""
MOST_STEPS = 60
LEAST_GAIN = 1e-5
"""Relative improvement of the loss at which the optimiser stops; smaller ones are noise."""


class Correction(NamedTuple):
    """Weights of shape (labels, width) and a bias of shape (labels,), added to the prototypes' scores."""

    weights: Floats
    bias: Floats

    @classmethod
    def none(cls, labels: int, width: int) -> "Correction":
        return cls(np.zeros((labels, width), np.float32), np.zeros(labels, np.float32))


def fit(vectors: Floats, labels: Ints, prototypes: Floats, prior: float, start: Correction | None = None) -> Correction:
    """The most probable correction. `labels` are rows of `prototypes`; `start` only saves steps."""
    from scipy.optimize import minimize  # which only a training needs

    count, width = prototypes.shape
    prototype_scores = SHARPNESS * (vectors @ prototypes.T)
    rows = np.arange(len(labels))

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, bias = flat[:-count].reshape(count, width), flat[-count:]
        scores = prototype_scores + vectors @ weights.T.astype(np.float32) + bias.astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        totals = shares.sum(axis=1)
        value = float((np.log(totals) - scores[rows, labels]).sum()) + prior / 2 * float(flat @ flat)
        shares /= totals[:, None]
        shares[rows, labels] -= 1
        slope = np.concatenate([(shares.T @ vectors).ravel(), shares.sum(axis=0)])
        return value, slope.astype(np.float64) + prior * flat

    first = start or Correction.none(count, width)
    flat = np.concatenate([first.weights.ravel(), first.bias]).astype(np.float64)
    options = {"maxiter": MOST_STEPS, "ftol": LEAST_GAIN}
    solution = minimize(loss, flat, jac=True, method="L-BFGS-B", options=options).x
    return Correction(
        np.asarray(solution[:-count].reshape(count, width), np.float32), np.asarray(solution[-count:], np.float32)
    )
