"""Calibrates confidence by language, so that it never exceeds what the labels of that language support."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from classifier.learning.calibration import fit_temperature
from classifier.learning.vector_space import Floats, Ints

FEWEST = 20
"""Held-out labels of a language from which it has a temperature of its own, never below the common one."""
TRUST = 50
"""Held-out labels at which half of that temperature counts."""


class LanguageRecord(NamedTuple):
    """How many labels of a language were held out, how many of them were right, and by what its scores are divided."""

    labels: int
    right: int
    temperature: float

    @property
    def ceiling(self) -> float:
        """The highest confidence that the labels support: that of the rule of succession if all of them were right."""
        return (self.labels + 1) / (self.labels + 2)


NO_LABELS = LanguageRecord(0, 0, 1.0)


def fit_languages(languages: Sequence[str], scores: Floats, labels: Ints) -> dict[str, LanguageRecord]:
    """The record of each language of the held-out texts. `scores`, of shape (texts, labels), have been divided by
    their common temperature.
    """
    codes = np.array(languages)
    records = {}
    for language in sorted(set(languages)):
        rows = np.flatnonzero(codes == language)
        right = int((scores[rows].argmax(axis=1) == labels[rows]).sum())
        temperature = 1.0
        if len(rows) >= FEWEST:
            own = fit_temperature(scores[rows], labels[rows], lowest=1.0)[0]
            temperature = float(own ** (len(rows) / (len(rows) + TRUST)))
        records[language] = LanguageRecord(len(rows), right, temperature)
    return records


def temperatures(languages: Sequence[str], records: Mapping[str, LanguageRecord]) -> Floats:
    """Shape (texts, 1)."""
    return np.array([[records.get(language, NO_LABELS).temperature] for language in languages], np.float32)


def ceilings(languages: Sequence[str], records: Mapping[str, LanguageRecord]) -> Floats:
    """The highest confidence for each text: 1 if nothing was held out at all, as nothing was learned."""
    if not records:
        return np.ones(len(languages), np.float32)
    return np.array([records.get(language, NO_LABELS).ceiling for language in languages], np.float32)
