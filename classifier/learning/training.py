"""Trains a head: cross-validates the recipes and fits the best one to all examples."""

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.learning import linear, word_features
from classifier.learning.calibration import fit_isotonic_steps, fit_temperature, softmax
from classifier.learning.heads import Bases, Head, HeldOutRecord, OfferedLabel, Recipe
from classifier.learning.linear import PRIORS, SHARPNESS, Correction
from classifier.learning.vector_space import Floats, Ints, centred, shrunken_mean
from classifier.learning.word_features import TermCounts, WordModel

FEWEST = 10
"""Examples, with at least two labels, needed for training."""
RECIPES = [
    Recipe(),
    Recipe(corrected=True),
    *(Recipe(corrected=True, share_of_words=share) for share in (1.0, 2.0, 4.0)),
]
WORDS_LOWEST = 0.1
"""The lowest temperature for words, whose scores lie within one or two of each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Labelled texts: their keys, raw vectors of shape (n, WIDTH), the keys of their labels on one
    axis, and their groups: near-duplicates share a group and are held out together.

    `random_sample` says whether a text was sampled at random for labelling; `weights`, one on average, how much of the
    incoming traffic it represents.
    """

    keys: Ints
    texts: Sequence[str]
    vectors: Floats
    labels: Ints
    groups: Ints
    random_sample: npt.NDArray[np.bool_]
    weights: Floats

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, which: Ints) -> "Examples":
        return Examples(
            keys=self.keys[which],
            texts=[self.texts[number] for number in which],
            vectors=self.vectors[which],
            labels=self.labels[which],
            groups=self.groups[which],
            random_sample=self.random_sample[which],
            weights=self.weights[which],
        )


class HeldOut(NamedTuple):
    """Scores of held-out examples, of shape (held out, labels)."""

    rows: Ints
    shifted: Floats
    corrected: Floats
    """Under each prior: shape (held out, labels, priors)."""
    by_words: Floats

    def scores(self, recipe: Recipe, prior: float) -> Floats:
        base = self.corrected[:, :, PRIORS.index(prior)] if recipe.corrected else self.shifted
        return base + recipe.share_of_words * self.by_words if recipe.share_of_words else base


class RecipeChoice(NamedTuple):
    """A recipe with its prior and temperature."""

    recipe: Recipe
    prior: float
    temperature: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trained head and its probabilities for the held-out examples."""

    head: Head
    rows: Ints
    """Of the examples, those that were held out."""
    probabilities: Floats
    """Of the labels offered, for each of these rows."""


class TrainingSet(NamedTuple):
    """Centred vectors, labels as positions among those offered, and term counts."""

    vectors: Floats
    labels: Ints
    counted: TermCounts

    def part(self, rows: Ints) -> "TrainingSet":
        return TrainingSet(self.vectors[rows], self.labels[rows], self.counted.part(rows))

    def sums(self, count: int) -> Floats:
        """The sum of each label's vectors: shape (count, WIDTH)."""
        sums = np.zeros((count, self.vectors.shape[1]), np.float32)
        np.add.at(sums, self.labels, self.vectors)
        return sums


def learn(examples: Examples, offered: Sequence[OfferedLabel], *, thorough: bool = False) -> Candidate | None:
    """The best head for the labels offered; None if there is too little to learn from. Deterministic.

    Examples whose label is not offered are ignored. `thorough` holds out every example once, however many there are.
    """
    rows = {key: number for number, label in enumerate(offered) for key in label.keys}
    usable = np.array([number for number, key in enumerate(examples.labels) if int(key) in rows], np.int64)
    examples = examples.part(usable)
    labels = np.array([rows[int(key)] for key in examples.labels], np.int64)
    can_hold_out = next(folds(examples.groups), None) is not None
    if len(examples) < FEWEST or len(np.unique(labels)) < 2 or not can_hold_out:
        return None
    centre = shrunken_mean(examples.vectors)
    known = TrainingSet(centred(examples.vectors, centre), labels, word_features.count_terms(tuple(examples.texts)))
    bases = Bases.of_labels(offered, centre)
    held_out, starts = _cross_validate(known, examples.groups, bases, thorough=thorough)
    choice, truth = _best_recipe(held_out, labels), labels[held_out.rows]
    probabilities = softmax(held_out.scores(choice.recipe, choice.prior), choice.temperature)
    record = _record(examples.part(held_out.rows), probabilities, truth)
    head = replace(
        _fit_final_head(known, bases, choice, starts[choice.prior]),
        centre=centre,
        keys=np.array([label.keys[0] for label in offered], np.int64),
        words_temperature=fit_temperature(held_out.by_words, truth, WORDS_LOWEST)[0],
        steps=fit_isotonic_steps(probabilities.max(axis=1), record.right),
        record=record,
        seen=examples.keys,
    )
    return Candidate(head=head, probabilities=probabilities, rows=usable[held_out.rows])


def _fit_final_head(known: TrainingSet, bases: Bases, choice: RecipeChoice, start: Correction | None) -> Head:
    """Fitted to all examples, without any record."""
    sums = known.sums(len(bases.prototypes))
    (correction,), word_model = _fit_parts(known, bases.directions(sums), {choice.prior: start})
    head = replace(Head.untrained(), recipe=choice.recipe, temperature=choice.temperature)
    return replace(head, sums=sums, starters=bases.starters, correction=correction, words=word_model)


def _record(examples: Examples, probabilities: Floats, labels: Ints) -> HeldOutRecord:
    return HeldOutRecord(
        examples=examples.keys,
        labels=examples.labels,
        losses=brier(probabilities, labels),
        right=(probabilities.argmax(axis=1) == labels).astype(np.int64),
    )


def brier(probabilities: Floats, labels: Ints) -> Floats:
    """The Brier score of each row, from 0 (sure and right) to 2 (sure and wrong)."""
    of_label = probabilities[np.arange(len(labels)), labels]
    return np.asarray((probabilities**2).sum(axis=1) - 2 * of_label + 1, np.float32)


def folds(groups: Ints, *, thorough: bool = False) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of (training, held-out) indexes. The more examples, the fewer folds; `thorough` covers all of them.

    A group's hash decides its fold, so its members stay together and in the same fold next time.
    """
    parts, turns = _turns(len(groups))
    place = np.array([zlib.crc32(int(group).to_bytes(8, "little")) % parts for group in groups])
    for part in range(parts if thorough else turns):
        inside, outside = np.flatnonzero(place != part), np.flatnonzero(place == part)
        if len(inside) and len(outside):
            yield inside, outside


def _turns(examples: int) -> tuple[int, int]:
    """The number of folds, and how many of them are used. With few examples, a model trained on four fifths of them is
    too far behind to stand for one trained on all.
    """
    if examples <= 3_000:
        return 10, 10 if examples <= 1_000 else 5
    return 5, 1


Starts = dict[float, Correction | None]
"""By prior, the correction to start from."""


def _cross_validate(known: TrainingSet, groups: Ints, bases: Bases, *, thorough: bool) -> tuple[HeldOut, Starts]:
    """Held-out scores, and the corrections of the last fold."""
    parts: list[HeldOut] = []
    starts: Starts = {}
    for inside, outside in folds(groups, thorough=thorough):
        taught, held_out_part = known.part(inside), known.part(outside)
        shifted = bases.directions(taught.sums(len(bases.prototypes)))
        corrections, word_model = _fit_parts(taught, shifted, dict.fromkeys(PRIORS))
        plain = SHARPNESS * (held_out_part.vectors @ shifted.T)
        corrected = np.stack([plain + held_out_part.vectors @ weights.T + bias for weights, bias in corrections])
        parts.append(HeldOut(outside, plain, corrected.transpose(1, 2, 0), held_out_part.counted.scores(word_model)))
        starts = dict(zip(PRIORS, corrections, strict=True))
    return HeldOut(*(np.concatenate(part) for part in zip(*parts, strict=True))), starts


def _fit_parts(known: TrainingSet, shifted: Floats, starts: Starts) -> tuple[list[Correction], WordModel]:
    """The word model and, in parallel, a correction under each prior."""
    with ThreadPoolExecutor(1) as executor:
        word_model = executor.submit(word_features.fit, known.counted, known.labels, len(shifted))
        corrections = [linear.fit(known.vectors, known.labels, shifted, *start) for start in starts.items()]
        return corrections, word_model.result()


def _best_recipe(held_out: HeldOut, labels: Ints) -> RecipeChoice:
    """The choice with the lowest held-out log-loss."""
    choices = []
    for recipe in RECIPES:
        for prior in PRIORS if recipe.corrected else PRIORS[:1]:
            temperature, log_loss = fit_temperature(held_out.scores(recipe, prior), labels[held_out.rows])
            choices.append((log_loss, RecipeChoice(recipe, prior, temperature)))
    return min(choices, key=lambda choice: choice[0])[1]
