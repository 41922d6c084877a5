"""Who should answer: the share of tickets that could be auto-accepted at an accuracy target, by who gives the labels.

A weak first model and specialists that have learned from more and more labels answer the test messages of a file. Each
answerer gets a scorer of its own, fitted to the other folds. The one with the lowest log-loss is what the product
would choose.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import fresh_installation, table
from bench.replays import Replay
from bench.streams import PAST, SHOTS, Floats, Ints, first_model, learned_head
from classifier.scoring.scorer import JudgedAnswers
from classifier.scoring.signals import AxisSignals, Signals

TARGET_ERROR = 0.03
LABELS = (300, 700, 1_500, PAST, 100_000)


def main(file: Path) -> None:
    fresh_installation()
    begun = time.perf_counter()
    data = Replay(file, "category", 0.25)
    train = np.random.default_rng(1).permutation(np.flatnonzero(~data.test))
    shots = np.concatenate([train[data.labels[train] == label][:SHOTS] for label in np.unique(data.labels)])
    rest, pool = train[~np.isin(train, shots)], np.flatnonzero(data.test)
    answers, confidence = first_model(data, shots, pool)
    rows = [_row(data, rest[:labels], pool, answers - 1, confidence) for labels in LABELS]
    heads = ["labels", "first: right", "could pass", "specialist: right", "could pass", "together: right", "could pass"]
    table(f"{file.name}, {len(pool)} messages, target {1 - TARGET_ERROR:.0%}", [*heads, "chosen"], rows)
    print(f"{time.perf_counter() - begun:.0f} s")


def _row(data: Replay, learned: Ints, pool: Ints, first: Ints, confidence: Floats) -> list[object]:
    from classifier.scoring.answerer import Answerer

    bound = learned_head(data, learned)
    results = {answerer: _result(data, bound, pool, first, confidence, answerer) for answerer in Answerer}
    best = min(results, key=lambda answerer: results[answerer][2])
    figures = [f"{share:.1%}" for right, passing, _loss in results.values() for share in (right, passing)]
    return [len(learned), *figures, best.value]


def _result(
    data: Replay, bound: Any, pool: Ints, first: Ints, confidence: Floats, answerer: Any
) -> tuple[float, float, float]:
    """The accuracy, the share that could pass, and the mean log-loss of the right label."""
    from classifier.scoring.scorer import fit, log_loss

    judged, offered = _judged(data, bound, pool, first, confidence, answerer)
    right = np.array(judged.category_right)
    losses, scores = np.zeros(len(right)), np.zeros(len(right))
    order = np.random.default_rng(0).permutation(len(right))
    for fold in range(5):
        held_out = order[fold::5].tolist()
        weights, part = fit(judged.part(np.setdiff1d(order, held_out).tolist())), judged.part(held_out)
        losses[held_out] = log_loss(weights, part, "category", offered - 1)
        answers = zip(part.signals, part.categories, strict=True)
        scores[held_out] = [weights.probabilities(*answer).category for answer in answers]
    return float(right.mean()), _passing(scores, right), float(losses.mean())


def _judged(
    data: Replay, bound: Any, pool: Ints, first: Ints, confidence: Floats, answerer: Any
) -> tuple[JudgedAnswers, int]:
    """The answers, and how many labels are offered."""
    from classifier.inference.backends.specialist_predictor import closeness
    from classifier.scoring.answerer import choose, spread

    texts, embeddings = [data.texts[row] for row in pool], data.embeddings.part(pool)
    shares = bound.probabilities(embeddings, texts).astype(np.float64)
    words, offered = bound.by_words(texts).argmax(axis=1), shares.shape[1]
    near = closeness(bound, embeddings)
    signals, labels = [], []
    for row, own in enumerate(first):
        place = choose(answerer, spread(int(own), float(confidence[row]), offered), shares[row]).place
        axis = AxisSignals(
            agrees=bool(shares[row].argmax() == place),
            words_agree=bool(words[row] == place),
            probability=float(shares[row, place]),
            margin=float(shares[row, place] - np.delete(shares[row], place).max()),
            own=bool(own == place),
        )
        known = {"closeness": float(near[row]), "length": len(texts[row])}
        signals.append(Signals(float(confidence[row]), axis, **known))  # type: ignore[arg-type]  # of two kinds
        labels.append(place)
    right = (np.array(labels) == data.labels[pool] - 1).tolist()
    everywhere = [True] * len(right)
    return JudgedAnswers(signals=signals, categories=labels, category_right=right, sentiment_right=everywhere), offered


def _passing(scores: Floats, right: Any) -> float:
    """The largest share of answers, the surest first, that meets the target."""
    shares = np.cumsum(~right[np.argsort(-scores, kind="stable")]) / np.arange(1, len(right) + 1)
    return float((np.flatnonzero(shares <= TARGET_ERROR)[-1:] + 1).sum() / len(right))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with text, category and split")
    main(**vars(parser.parse_args()))
