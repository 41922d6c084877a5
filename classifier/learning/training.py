"""Learning one axis from labelled examples: recipes tried on what they have not seen, the best fitted to all."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import linear, words
from .axis import Axis, Bound, Offered, Recipe, Record
from .calibration import sharpened, steps_of, temperature_of
from .linear import SHARPNESS, Correction
from .space import Floats, Ints, centre_of, centred, unit

FEWEST = 10
"""Examples, of two labels at least, before anything is learned."""
RECIPES = [
    Recipe(),
    Recipe(corrected=True),
    *(Recipe(corrected=True, share_of_words=share) for share in (1.0, 2.0, 4.0)),
]
WORDS_LOWEST = 0.1
"""The lowest temperature for words: distances from borders lie within one or two of each other."""
WIN = 1.645
"""Standard errors by which a candidate must be better: one chance in twenty that noise alone did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Labelled texts: their keys, vectors as the encoder gave them of shape (n, WIDTH), the keys of their labels on one
    axis, and a group each; of one group are texts that say nearly the same, and they are held out together.

    `drawn` says of each whether chance alone chose it for labelling, and not what it could teach.
    """

    keys: Ints
    texts: Sequence[str]
    vectors: Floats
    labels: Ints
    groups: Ints
    drawn: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, which: Ints) -> Examples:
        return Examples(
            keys=self.keys[which],
            texts=[self.texts[number] for number in which],
            vectors=self.vectors[which],
            labels=self.labels[which],
            groups=self.groups[which],
            drawn=self.drawn[which],
        )


class HeldOut(NamedTuple):
    """What was said of examples by models that had not seen them. Scores are of shape (held out, labels)."""

    rows: Ints
    shifted: Floats
    corrected: Floats
    worded: Floats

    def scores(self, recipe: Recipe) -> Floats:
        base = self.corrected if recipe.corrected else self.shifted
        return base + recipe.share_of_words * self.worded if recipe.share_of_words else base


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate for an axis, and what it says of the examples that were held out from it."""

    axis: Axis
    rows: Ints
    """Of the examples, those that were held out."""
    probabilities: Floats
    """Of the labels offered, for each of these rows."""


def learn(examples: Examples, offered: Sequence[Offered], *, thorough: bool = False) -> Trial | None:
    """The best candidate for the labels offered; None where there is too little to learn from.

    The same examples give the same candidate. Examples whose label is not offered are left out. `thorough` holds out
    every example once, however many there are.
    """
    rows = {key: number for number, label in enumerate(offered) for key in label.keys}
    known = np.array([number for number, key in enumerate(examples.labels) if int(key) in rows], np.int64)
    examples = examples.part(known)
    labels = np.array([rows[int(key)] for key in examples.labels], np.int64)
    can_hold_out = next(folds(examples.groups), None) is not None
    if len(examples) < FEWEST or len(np.unique(labels)) < 2 or not can_hold_out:
        return None
    centre = centre_of(examples.vectors)
    vectors = centred(examples.vectors, centre)
    prototypes = centred(np.stack([label.prototype for label in offered]), centre)
    held_out, start = _hold_out(examples, vectors, labels, prototypes, FOLDS if thorough else None)
    recipe, temperature = _best(held_out, labels)
    sums = _sums(vectors, labels, len(prototypes))
    probabilities = sharpened(held_out.scores(recipe), temperature)
    truth = labels[held_out.rows]
    right = (probabilities.argmax(axis=1) == truth).astype(np.int64)
    axis = Axis(
        recipe=recipe,
        centre=centre,
        keys=np.array([label.keys[0] for label in offered], np.int64),
        sums=sums,
        correction=linear.fit(vectors, labels, unit(prototypes + sums), start),
        words=words.fit(examples.texts, labels, len(prototypes)),
        temperature=temperature,
        words_temperature=temperature_of(held_out.worded, truth, WORDS_LOWEST)[0],
        steps=steps_of(probabilities.max(axis=1), right),
        record=Record(
            examples=examples.keys[held_out.rows],
            labels=examples.labels[held_out.rows],
            losses=brier(probabilities, truth),
            right=right,
        ),
        seen=examples.keys,
    )
    return Trial(axis=axis, probabilities=probabilities, rows=known[held_out.rows])


def brier(probabilities: Floats, labels: Ints) -> Floats:
    """The squared distance of each row from its label, from 0 (sure and right) to 2 (sure and wrong)."""
    of_label = probabilities[np.arange(len(labels)), labels]
    return np.asarray((probabilities**2).sum(axis=1) - 2 * of_label + 1, np.float32)


FOLDS = 5


def folds(groups: Ints, turns: int | None = None) -> Iterator[tuple[Ints, Ints]]:
    """Which examples are learned from, and which are held out meanwhile, in so many of five turns: in all of them for
    few examples, in one for very many.

    A group goes by its own hash alone, so that it is held out together and in the same turn next time.
    """
    parts = turns or (FOLDS if len(groups) <= 1_000 else 3 if len(groups) <= 3_000 else 1)
    place = np.array([zlib.crc32(int(group).to_bytes(8, "little")) % FOLDS for group in groups])
    for part in range(parts):
        inside, outside = np.flatnonzero(place != part), np.flatnonzero(place == part)
        if len(inside) and len(outside):
            yield inside, outside


def _hold_out(
    examples: Examples, vectors: Floats, labels: Ints, prototypes: Floats, turns: int | None
) -> tuple[HeldOut, Correction | None]:
    parts: list[HeldOut] = []
    correction: Correction | None = None
    for inside, outside in folds(examples.groups, turns):
        shifted = unit(prototypes + _sums(vectors[inside], labels[inside], len(prototypes)))
        correction = linear.fit(vectors[inside], labels[inside], shifted)
        heard = words.fit([examples.texts[row] for row in inside], labels[inside], len(prototypes))
        plain = SHARPNESS * (vectors[outside] @ shifted.T)
        corrected = plain + vectors[outside] @ correction.weights.T + correction.bias
        parts.append(HeldOut(outside, plain, corrected, heard.scores([examples.texts[row] for row in outside])))
    return HeldOut(*(np.concatenate(part) for part in zip(*parts, strict=True))), correction


def _sums(vectors: Floats, labels: Ints, count: int) -> Floats:
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    return sums


def _best(held_out: HeldOut, labels: Ints) -> tuple[Recipe, float]:
    """The recipe that is surprised least by what it has not seen, with its temperature."""
    found = []
    for recipe in RECIPES:
        temperature, surprise = temperature_of(held_out.scores(recipe), labels[held_out.rows])
        found.append((surprise, temperature, recipe))
    _surprise, temperature, recipe = min(found, key=lambda one: one[0])
    return recipe, temperature


class Comparison(NamedTuple):
    """A candidate beside what is in service, on examples that neither had seen: all, or those that were `drawn`."""

    items: int
    accuracy_before: float
    accuracy: float
    gain: float
    error: float
    drawn: bool = False

    @property
    def wins(self) -> bool:
        """Better beyond noise by the Brier score, and right no less often."""
        return self.items >= FEWEST and self.gain > WIN * self.error and self.accuracy >= self.accuracy_before

    @classmethod
    def nothing(cls) -> Comparison:
        return cls(0, 0.0, 0.0, 0.0, 0.0)


def compare(candidate: Axis, incumbent: Axis, examples: Examples, offered: Sequence[Offered]) -> Comparison:
    """Paired, example by example: those held out from both, and those that the incumbent has never seen.

    What was chosen because it is unlike everything labelled is just what a model cannot tell when it is held out. So a
    candidate that does not win on all examples may do so on those that chance alone chose, which are like what comes.
    """
    before = _losses(incumbent, examples, offered)
    after = _recorded(candidate.record)
    common = sorted(after.keys() & before.keys())
    drawn = set(examples.keys[examples.drawn].tolist())
    on_all = _compared(before, after, common)
    on_drawn = _compared(before, after, [pair for pair in common if pair[0] in drawn])._replace(drawn=True)
    return on_drawn if on_drawn.wins and not on_all.wins else on_all


Losses = dict[tuple[int, int], tuple[float, int]]
"""By example and label, the loss and whether it was right."""


def _compared(before: Losses, after: Losses, common: Sequence[tuple[int, int]]) -> Comparison:
    if not common:
        return Comparison.nothing()
    gains = np.array([before[pair][0] - after[pair][0] for pair in common])
    spread = float(gains.std(ddof=1)) if len(common) > 1 else 0.0
    return Comparison(
        items=len(common),
        accuracy_before=float(np.mean([before[pair][1] for pair in common])),
        accuracy=float(np.mean([after[pair][1] for pair in common])),
        gain=float(gains.mean()),
        error=spread / len(common) ** 0.5,
    )


def _recorded(record: Record) -> Losses:
    return {
        (int(example), int(label)): (float(loss), int(right))
        for example, label, loss, right in zip(record.examples, record.labels, record.losses, record.right, strict=True)
    }


def _losses(axis: Axis, examples: Examples, offered: Sequence[Offered]) -> Losses:
    rows = {key: number for number, label in enumerate(offered) for key in label.keys}
    seen = set(axis.seen.tolist())
    fresh = np.array(
        [
            number
            for number, (key, label) in enumerate(zip(examples.keys, examples.labels, strict=True))
            if int(key) not in seen and int(label) in rows
        ],
        np.int64,
    )
    losses = _recorded(axis.record)
    if len(fresh):
        part = examples.part(fresh)
        labels = np.array([rows[int(label)] for label in part.labels], np.int64)
        probabilities = Bound(axis, offered).probabilities(part.vectors, part.texts)
        right = probabilities.argmax(axis=1) == labels
        for key, label, loss, hit in zip(part.keys, part.labels, brier(probabilities, labels), right, strict=True):
            losses[int(key), int(label)] = (float(loss), int(hit))
    return losses
