"""Chooses how the families of a head are averaged, by their scores on held-out examples."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from classifier.learning.calibration import fit_temperature
from classifier.learning.heads import Mix
from classifier.learning.vector_space import Bools, Floats, Ints, Reading

SHARES_OF_WORDS = (1.0, 2.0, 4.0)
FEWEST_OWN = 50
"""Held-out examples that only these encoders read, from which those alone decide."""
LEAST_GAIN = 0.01
"""Relative improvement of the log-loss below which a family is left out."""


class Choice(NamedTuple):
    """One of a family's fits, as a column of its scores, and the temperature of its scores."""

    column: int
    temperature: float


class FamilyScores(NamedTuple):
    """Scores of held-out examples under each fit of a family, of shape (held out, labels, fits), and which examples its
    encoder reads; the first fit is uncorrected.
    """

    fits: Floats
    read: Bools

    def choose(self, labels: Ints) -> Choice:
        """The fit with the lowest log-loss on the examples that the encoder reads."""
        rows = np.flatnonzero(self.read)
        if not len(rows):
            return Choice(0, 1.0)
        choices = []
        for column in range(self.fits.shape[2]):
            temperature, log_loss = fit_temperature(self.fits[rows, :, column], labels[rows])
            choices.append((log_loss, Choice(column, temperature)))
        return min(choices)[1]


class HeldOut(NamedTuple):
    """Held-out examples: their rows, the scores of each encoder's family, and those of words."""

    rows: Ints
    families: Mapping[str, FamilyScores]
    by_words: Floats

    def scores(self, mix: Mix, chosen: Mapping[str, Choice], rows: Ints) -> Floats:
        """The mix's scores of these rows, of shape (rows, labels)."""
        shape = (len(rows), self.by_words.shape[1])
        total = np.zeros(shape, np.float32)
        for name, weight in mix.weights.items():
            total += weight * self.families[name].fits[rows, :, chosen[name].column]
        return np.asarray((total + mix.share_of_words * self.by_words[rows]) / mix.temperature, np.float32)

    def readings(self) -> Iterator[tuple[Reading, Ints]]:
        """Every set of encoders, and the rows of the examples that exactly these read."""
        names = list(self.families)
        for number in range(len(names), 0, -1):
            for reading in map(frozenset, combinations(names, number)):
                same = [self.families[name].read == (name in reading) for name in names]
                yield reading, np.flatnonzero(np.all(same, axis=0))


def choose_mixes(held_out: HeldOut, chosen: Mapping[str, Choice], labels: Ints) -> dict[Reading, Mix]:
    """The best mix for every set of encoders that may read a text."""
    mixes = {}
    for reading, own in held_out.readings():
        rows, words = own, True
        if len(own) < FEWEST_OWN and len(own) < len(labels):
            # What words say of texts in one language they do not say of texts in another.
            read = [held_out.families[name].read for name in reading]
            rows, words = np.flatnonzero(np.all(read, axis=0)), False
        mixes[reading] = _best_mix(held_out, chosen, labels, reading, rows, words=words)
    return mixes


def _best_mix(
    held_out: HeldOut, chosen: Mapping[str, Choice], labels: Ints, reading: Reading, rows: Ints, *, words: bool
) -> Mix:
    """The mix with the lowest log-loss on these rows; one with fewer families unless another gains enough."""
    best, lowest = Mix({name: 1 / len(reading) for name in reading}), np.inf
    for candidate in _candidates(chosen, [name for name in chosen if name in reading], words=words):
        if not len(rows):
            return candidate
        temperature, log_loss = fit_temperature(held_out.scores(candidate, chosen, rows), labels[rows])
        if log_loss < lowest * (1 - LEAST_GAIN):
            best, lowest = candidate._replace(temperature=temperature), log_loss
    return best


def _candidates(chosen: Mapping[str, Choice], names: Sequence[str], *, words: bool) -> Iterator[Mix]:
    """Averages of families, each by how sharp its scores are; those with the fewest families first."""
    subsets = [subset for number in range(1, len(names) + 1) for subset in combinations(names, number)]
    for share in (0.0, *(SHARES_OF_WORDS if words else ())):
        for subset in subsets:
            sharpness = sum(1 / chosen[name].temperature for name in subset)
            yield Mix({name: 1 / (chosen[name].temperature * sharpness) for name in subset}, share)
