"""Pools of messages with a first model's answers and their signals, to draw streams of tickets from.

They are real messages that no model was trained on. Streams are longer than the file and drawn with replacement, so the
pool's figures hold for the stream.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.replays import Replay
from classifier.scoring.scorer import JudgedAnswers, ScorerWeights
from classifier.scoring.signals import AxisSignals, Signals, features

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SHOTS = 9
"""Examples per label that the first model is trained on, which makes it right in 84% of cases."""
PAST = 2_700
"""Earlier labels that the second family is trained on."""
MARKS = (700, 1_500, 3_000)
"""Numbers of labels at which the scorer (and in some pools the second family) is trained again."""
HISTORY = 500
"""Tickets before the stream begins, whose scores make the first grid."""
COLUMNS = ("truth", "answer", "confidence", "agrees", "words_agree", "probability", "margin", "closeness", "length")


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Messages with one model's answers and one second family's view of them. `chance` is the probability that the
    answer is wrong; `rows` holds the features of the signals. All have the length of the pool.
    """

    answer: Ints
    chance: Floats
    signals: Sequence[Signals]
    rows: Floats

    @classmethod
    def from_signals(cls, answer: Ints, chance: Floats, signals: Sequence[Signals]) -> "Pool":
        return cls(
            answer, chance, signals, np.stack([np.append(features(signal, signal.category), 1.0) for signal in signals])
        )

    @property
    def confidence(self) -> Floats:
        return np.array([signal.confidence for signal in self.signals])

    def values(self, weights: ScorerWeights) -> Floats:
        """P(correct), as `ScorerWeights.probabilities` computes it, vectorised."""
        offsets = np.array([weights.offsets.get(int(label), 0.0) for label in self.answer])
        values: Floats = 1 / (1 + np.exp(-(self.rows @ weights.category + offsets)))
        assert abs(values[0] - weights.probabilities(self.signals[0], int(self.answer[0])).category) < 1e-9
        return values

    def risk(self, values: Floats, threshold: float) -> float:
        """The true error rate at or above this threshold."""
        return float(self.chance[values >= threshold].mean())

    def furthest(self, values: Floats, error: float) -> float:
        """The lowest threshold that meets the target: the oracle's."""
        order = np.argsort(-values, kind="stable")
        shares = np.cumsum(self.chance[order]) / np.arange(1, len(order) + 1)
        last_of_equals = np.append(np.diff(values[order]) != 0, True)
        good = np.flatnonzero((shares <= error) & last_of_equals)
        return float(values[order][good[-1]]) if len(good) else float("inf")

    def judged(self, rows: Ints, wrong: Bools) -> JudgedAnswers:
        right = (~wrong).tolist()
        return JudgedAnswers(
            signals=[self.signals[row] for row in rows],
            categories=self.answer[rows].tolist(),
            category_right=right,
            sentiment_right=[True] * len(rows),
        )


def noise(chance: float, seed: int, size: int = 4_000, levels: int = 0) -> Pool:
    """A model whose errors do not depend on its signals, each of which has so many values, if any number is given."""
    numbers = np.random.default_rng(seed).random((size, 3))
    signals = _random_signals(np.floor(numbers * levels) / levels if levels else numbers)
    return Pool.from_signals(np.ones(size, np.int64), np.full(size, chance), signals)


def inverted(chance: float, seed: int, size: int = 4_000) -> Pool:
    """A model that is wrong most often where the built-in scorer is surest, and with this probability in all."""
    signals = _random_signals(np.random.default_rng(seed).random((size, 3)))
    pool = Pool.from_signals(np.ones(size, np.int64), np.full(size, chance), signals)
    ranks = np.argsort(np.argsort(pool.values(ScorerWeights.built_in())))
    return replace(pool, chance=chance * (0.5 + ranks / (size - 1)))


def _random_signals(numbers: Floats) -> list[Signals]:
    return [
        Signals(float(sure), AxisSignals(probability=float(two), margin=float(three))) for sure, two, three in numbers
    ]


# --- arrivals -----------------------------------------------------------------------------------------------


class Arrivals(NamedTuple):
    """Tickets in order: their row in the pool, the probability that the answer is wrong, a number in [0, 1) that
    decides it and is the same within a cluster of alike tickets, the cluster, and whether the ticket repeats one.
    """

    rows: Ints
    chance: Floats
    luck: Floats
    cluster: Ints
    repeat: Bools

    @property
    def wrong(self) -> Bools:
        return self.luck < self.chance

    @property
    def in_burst(self) -> Bools:
        return np.isin(self.cluster, self.cluster[self.repeat])


def independent(pool: Pool, count: int, rng: np.random.Generator) -> Arrivals:
    rows, numbers = rng.integers(0, len(pool.answer), count), np.arange(count)
    return Arrivals(rows, pool.chance[rows], rng.random(count), numbers, np.zeros(count, bool))


def in_bursts(
    pool: Pool, count: int, rng: np.random.Generator, *, size: int, share: float = 1.0, geometric: bool = False
) -> Arrivals:
    """A share of the tickets comes in bursts of this size (on average), of the same row and right or wrong together.
    Bursts that follow each other overlap.
    """
    bursting = rng.random(count) < share / size / (share / size + 1 - share)
    sizes = np.where(bursting, rng.geometric(1 / size, count) if geometric else size, 1)
    cluster = np.repeat(np.arange(count), sizes)[:count]
    order = np.argsort(np.arange(count) + rng.random(count) * 2 * size, kind="stable")
    cluster = cluster[order]
    base = independent(pool, count, rng)
    repeat = np.ones(count, bool)
    repeat[np.unique(cluster, return_index=True)[1]] = False
    return Arrivals(base.rows[cluster], base.chance[cluster], base.luck[cluster], cluster, repeat)


def with_incidents(
    pool: Pool, count: int, rng: np.random.Generator, *, every: int, size: int, wrong: float
) -> Arrivals:
    """A calm stream in which, in each `every` tickets, `size` consecutive ones are alike, and each of them is wrong
    with this probability.
    """
    base = independent(pool, count, rng)
    for start in range(every // 2, count - size, every):
        burst = slice(start, start + size)
        base.rows[burst], base.cluster[burst], base.chance[burst] = base.rows[start], start, wrong
        base.repeat[start + 1 : start + size] = True
    return base


# --- models -------------------------------------------------------------------------------------------------


def prepared(file: Path, answers: Path | None) -> dict[str, Pool]:
    """The pools by name, computed from a file of messages, or read from `answers` if that exists."""
    if answers and answers.exists():
        with np.load(answers) as stored:
            return {name: _pool(stored[name]) for name in stored.files}
    tables = dict(_tables(Replay(file, "category", 0.25)))
    if answers:
        np.savez_compressed(answers, **tables)  # type: ignore[arg-type]  # the stub takes them for its other argument
    return {name: _pool(table) for name, table in tables.items()}


def _pool(table: Floats) -> Pool:
    """A pool from rows of COLUMNS, where NaN is unknown."""
    signals = []
    for _truth, _answer, confidence, agrees, words_agree, *rest, closeness, length in table.tolist():
        votes = [None if vote != vote else bool(vote) for vote in (agrees, words_agree)]
        probability, margin = (None if figure != figure else figure for figure in rest)
        signals.append(
            Signals(
                confidence,
                AxisSignals(votes[0], votes[1], probability, margin),
                closeness=closeness,
                length=int(length),
            )
        )
    return Pool.from_signals(table[:, 1].astype(np.int64), (table[:, 0] != table[:, 1]).astype(np.float64), signals)


def _tables(data: Replay) -> Iterator[tuple[str, Floats]]:
    """Rows of COLUMNS by the name of the pool."""
    train = np.random.default_rng(1).permutation(np.flatnonzero(~data.test))
    of_label = [train[data.labels[train] == label][:SHOTS] for label in np.unique(data.labels)]
    shots = np.concatenate(of_label)
    rest = train[~np.isin(train, shots)]
    past, later = rest[:PAST], rest[PAST : PAST + MARKS[-1]]
    pool = np.concatenate([rest[PAST + MARKS[-1] :], np.flatnonzero(data.test)])
    answer, confidence = first_model(data, shots, pool)
    taught = learned_head(data, past)
    yield "words", _table(data, pool, answer, confidence, taught, words_alone=True)
    yield "past", _table(data, pool, answer, confidence, taught)
    yield "new", _table(data, pool, answer, confidence, learned_head(data, past[:0]))
    for mark in MARKS:
        yield f"past {mark}", _table(data, pool, answer, confidence, learned_head(data, [*past, *later[:mark]]))
        yield f"new {mark}", _table(data, pool, answer, confidence, learned_head(data, later[:mark]))
    yield "strong", _strong(data, train, np.flatnonzero(data.test))


def first_model(data: Replay, shots: Ints, pool: Ints) -> tuple[Ints, Floats]:
    """The answers of a model trained on a few examples, and its confidence in steps of 0.05."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=20, max_iter=300).fit(data.vectors[shots], data.labels[shots])
    shares = model.predict_proba(data.vectors[pool])
    return model.classes_[shares.argmax(axis=1)], np.round(shares.max(axis=1) * 20) / 20


def learned_head(data: Replay, rows: Any) -> Any:
    """The specialist as the product trains it."""
    from classifier.learning.heads import BoundHead, Head
    from classifier.learning.training import learn

    trial = learn(data.examples(np.array(rows, np.int64)), data.offered) if len(rows) else None
    return BoundHead(trial.head if trial else Head.untrained(), data.offered)


def _strong(data: Replay, train: Ints, pool: Ints) -> Floats:
    """A specialist trained on everything answers itself; only its words remain as second opinion."""
    bound = learned_head(data, train)
    shares = bound.probabilities(data.embeddings.part(pool), [data.texts[row] for row in pool])
    best = shares.argmax(axis=1)
    table = _table(data, pool, best + 1, bound.head.steps(shares.max(axis=1)), bound)
    table[:, [COLUMNS.index("agrees"), COLUMNS.index("probability")]] = np.nan
    return table


def _table(
    data: Replay, pool: Ints, answer: Ints, confidence: Floats, bound: Any, *, words_alone: bool = False
) -> Floats:
    from classifier.inference.backends.specialist_predictor import closeness

    texts, embeddings = [data.texts[row] for row in pool], data.embeddings.part(pool)
    by_words = bound.by_words(texts)
    by_all = by_words if words_alone else bound.probabilities(embeddings, texts)
    own = np.arange(len(pool)), answer - 1
    rivals = by_all.copy()
    rivals[own] = -1
    columns = {
        "truth": data.labels[pool],
        "answer": answer,
        "confidence": confidence,
        "agrees": by_all.argmax(axis=1) == answer - 1,
        "words_agree": by_words.argmax(axis=1) == answer - 1 if len(bound.head.keys) else np.full(len(pool), np.nan),
        "probability": by_all[own],
        "margin": by_all[own] - rivals.max(axis=1),
        "closeness": closeness(bound, embeddings),
        "length": [len(text) for text in texts],
    }
    return np.column_stack([np.asarray(columns[name], np.float64) for name in COLUMNS])
