"""Whose label an answer gives: the first model's, the specialist's, or the one that both together find most probable.

The combination is a product of experts in which the first model counts half, since models overstate their confidence.
On Banking77 the specialist alone lets as many tickets pass once it has learned from thousands of labels; before that,
both together are right more often.

Genest and Zidek (1986), "Combining probability distributions"; Hinton (2002), "Training products of experts".
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from classifier.scoring.signals import Floats

FIRST_WEIGHT = 0.5
LEAST = 1e-4
"""The least probability of a label, so that no model rules one out."""


class Answerer(StrEnum):
    FIRST = "first"
    SPECIALIST = "specialist"
    TOGETHER = "together"


class ChosenLabel(NamedTuple):
    """The place of the label among those offered, and its probability."""

    place: int
    probability: float


def spread(place: int, confidence: float, labels: int) -> Floats:
    """The probabilities of so many labels for a model that states only its confidence in one of them."""
    shares = np.full(labels, (1 - confidence) / max(labels - 1, 1))
    shares[place] = confidence
    return shares


def choose(answerer: Answerer, first: Floats, specialist: Floats) -> ChosenLabel:
    """The label by the probabilities that both give the labels offered, of shape (labels,)."""
    match answerer:
        case Answerer.FIRST:
            shares = first
        case Answerer.SPECIALIST:
            shares = specialist
        case Answerer.TOGETHER:
            product = np.maximum(first, LEAST) ** FIRST_WEIGHT * np.maximum(specialist, LEAST)
            shares = product / product.sum()
    place = int(shares.argmax())
    return ChosenLabel(place, float(shares[place]))
