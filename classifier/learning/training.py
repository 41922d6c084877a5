"""Trains a head: cross-validates the fits of each family, averages the best ones, and fits those to all examples."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from classifier.learning import linear, word_features
from classifier.learning.calibration import fit_isotonic_steps, fit_temperature, softmax
from classifier.learning.examples import Examples
from classifier.learning.heads import Bases, Family, Head, HeldOutRecord, OfferedLabel
from classifier.learning.language_detection import language_of
from classifier.learning.languages import fit_languages, temperatures
from classifier.learning.linear import PRIORS, SHARPNESS, Correction
from classifier.learning.mixing import Choice, FamilyScores, HeldOut, choose_mixes
from classifier.learning.vector_space import Bools, Floats, Ints, centred, shrunken_mean
from classifier.learning.word_features import TermCounts, WordModel

FEWEST = 10
"""Examples, with at least two labels, needed for training."""
WORDS_LOWEST = 0.1
"""The lowest temperature for words, whose scores lie within one or two of each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trained head and its probabilities for the held-out examples."""

    head: Head
    rows: Ints
    """Of the examples, those that were held out."""
    probabilities: Floats
    """Of the labels offered, for each of these rows."""


class Space(NamedTuple):
    """Examples in one encoder's space: centred vectors, zero for those it does not read, and what they correct."""

    vectors: Floats
    centre: Floats
    bases: Bases
    read: Bools

    def shifted(self, rows: Ints, labels: Ints) -> Floats:
        """The directions that these examples correct."""
        return self.bases.directions(self.sums(rows, labels))

    def sums(self, rows: Ints, labels: Ints) -> Floats:
        """The sum of each label's vectors."""
        sums = np.zeros_like(self.bases.prototypes)
        np.add.at(sums, labels[rows], self.vectors[rows])
        return sums


class TrainingSet(NamedTuple):
    """Examples in each encoder's space, their labels as positions among those offered, and term counts."""

    spaces: Mapping[str, Space]
    labels: Ints
    counted: TermCounts
    offered: int
    """How many labels are offered."""


Starts = dict[str, list[Correction | None]]
"""By encoder, what the fit under each prior starts from."""


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
    known = _training_set(examples, offered, labels)
    held_out, starts = _cross_validate(known, examples.groups, thorough=thorough)
    truth = labels[held_out.rows]
    chosen = {name: scores.choose(truth) for name, scores in held_out.families.items()}
    head = _fit_final_head(known, chosen, starts)
    head = replace(head, keys=np.array([label.keys[0] for label in offered], np.int64), seen=examples.keys)
    head, probabilities = _calibrated(head, held_out, chosen, examples.part(held_out.rows), truth)
    return Candidate(head=head, probabilities=probabilities, rows=usable[held_out.rows])


def _training_set(examples: Examples, offered: Sequence[OfferedLabel], labels: Ints) -> TrainingSet:
    spaces = {}
    for name, vectors in examples.embeddings.by_encoder.items():
        read = examples.embeddings.read_by(name)
        centre = shrunken_mean(vectors[read])
        own = np.where(read[:, None], centred(vectors, centre), 0).astype(np.float32)
        spaces[name] = Space(own, centre, Bases.of_labels(offered, name, centre), read)
    return TrainingSet(spaces, labels, word_features.count_terms(tuple(examples.texts)), len(offered))


def _calibrated(
    head: Head, held_out: HeldOut, chosen: Mapping[str, Choice], examples: Examples, truth: Ints
) -> tuple[Head, Floats]:
    """The head with its mixes, its calibration and its record; and its probabilities for the held-out examples."""
    mixes = choose_mixes(held_out, chosen, truth)
    scores = np.zeros_like(held_out.by_words)
    everything = np.zeros(0, np.int64)
    for number, (reading, rows) in enumerate(held_out.readings()):
        scores[rows] = held_out.scores(mixes[reading], chosen, rows)
        everything = rows if number == 0 else everything
    codes = [language_of(text) for text in examples.texts]
    languages = fit_languages(codes, scores, truth)
    probabilities = softmax(scores / temperatures(codes, languages), 1.0)
    record = HeldOutRecord(
        examples=examples.keys,
        labels=examples.labels,
        losses=brier(probabilities, truth),
        right=(probabilities.argmax(axis=1) == truth).astype(np.int64),
    )
    calibrated = replace(
        head,
        mixes=mixes,
        words_temperature=fit_temperature(held_out.by_words, truth, WORDS_LOWEST)[0],
        languages=languages,
        steps=fit_isotonic_steps(probabilities[everything].max(axis=1), record.right[everything]),
        record=record,
    )
    return calibrated, probabilities


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


def _cross_validate(known: TrainingSet, groups: Ints, *, thorough: bool) -> tuple[HeldOut, Starts]:
    """Held-out scores, and the corrections of the last fold."""
    rows: list[Ints] = []
    by_words: list[Floats] = []
    fits: dict[str, list[Floats]] = {name: [] for name in known.spaces}
    starts: Starts = {}
    for inside, outside in folds(groups, thorough=thorough):
        corrections, word_model = _fit_parts(known, inside, dict.fromkeys(known.spaces, [None] * len(PRIORS)))
        rows.append(outside)
        by_words.append(known.counted.part(outside).scores(word_model))
        for name, space in known.spaces.items():
            vectors = space.vectors[outside]
            plain = SHARPNESS * (vectors @ space.shifted(inside, known.labels).T)
            corrected = [plain + vectors @ weights.T + bias for weights, bias in corrections[name]]
            fits[name].append(np.stack([plain, *corrected], axis=2))
        starts = {name: list(fitted) for name, fitted in corrections.items()}
    held_out = np.concatenate(rows)
    families = {
        name: FamilyScores(np.concatenate(fits[name]), space.read[held_out]) for name, space in known.spaces.items()
    }
    return HeldOut(held_out, families, np.concatenate(by_words)), starts


def _fit_final_head(known: TrainingSet, chosen: Mapping[str, Choice], starts: Starts) -> Head:
    """Fitted to all examples, without mixes and calibration."""
    every = np.arange(len(known.labels))
    wanted: dict[str, list[Correction | None]] = {}
    priors: dict[str, list[float]] = {}
    for name, choice in chosen.items():
        # The first fit is the uncorrected one.
        priors[name] = [PRIORS[choice.column - 1]] if choice.column else []
        wanted[name] = [starts[name][choice.column - 1]] if choice.column else []
    corrections, word_model = _fit_parts(known, every, wanted, priors)
    families = {
        name: Family(
            space.centre,
            space.sums(every, known.labels),
            space.bases.starters,
            corrections[name][0] if corrections[name] else Correction.none(*space.bases.prototypes.shape),
        )
        for name, space in known.spaces.items()
    }
    return replace(Head.untrained(), families=families, words=word_model)


def _fit_parts(
    known: TrainingSet, rows: Ints, starts: Starts, priors: Mapping[str, Sequence[float]] | None = None
) -> tuple[dict[str, list[Correction]], WordModel]:
    """The word model and, in parallel, each family's corrections under the priors."""
    with ThreadPoolExecutor(1) as executor:
        word_model = executor.submit(word_features.fit, known.counted.part(rows), known.labels[rows], known.offered)
        corrections = {}
        for name, space in known.spaces.items():
            taught = rows[space.read[rows]]
            pairs = zip(priors[name] if priors else PRIORS, starts[name], strict=True)
            shifted = space.shifted(taught, known.labels)
            corrections[name] = [
                linear.fit(space.vectors[taught], known.labels[taught], shifted, *pair) for pair in pairs
            ]
        return corrections, word_model.result()
