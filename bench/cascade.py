"""Calls that the specialist saves in front of a remote model, at the remote model's accuracy.

The remote model is made up: right so often, whatever the text. The threshold in front is the lowest at which, on labels
that were held out from it, the specialist was right as often as the remote model.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import fresh_installation, table
from bench.replays import Replay


def main(file: Path, remote: float, orders: int, counts: list[int]) -> None:
    fresh_installation()
    data = Replay(file, "category", 0.25)
    rows = []
    for count in counts:
        runs = [_run(data, remote, count, seed) for seed in range(orders)]
        saved, accuracy, right = ([run[column] for run in runs] for column in range(3))
        rows.append(
            [
                count,
                f"{statistics.mean(saved):.1%}",
                f"{statistics.stdev(saved):.1%}",
                f"{statistics.mean(right):.3f}",
                f"{statistics.mean(accuracy):.3f}",
                f"{statistics.mean(accuracy) - remote:+.3f}",
            ]
        )
    table(
        f"{file.name}: a remote model that is right in {remote:.0%}, {orders} orders",
        ["labels", "calls saved", "spread", "right in front", "cascade", "beside remote alone"],
        rows,
    )


def _run(data: Replay, remote: float, count: int, seed: int) -> tuple[float, float, float]:
    """Share of calls saved, accuracy of the cascade, and of what was answered in front."""
    from classifier.learning.heads import BoundHead
    from classifier.learning.training import learn

    random = np.random.default_rng(seed)
    taught = random.permutation(np.flatnonzero(~data.test))[:count]
    trial = learn(data.examples(taught), data.offered)
    test = np.flatnonzero(data.test)
    by_remote = random.random(len(test)) < remote
    if trial is None:
        return 0.0, float(by_remote.mean()), 0.0
    threshold = _threshold(trial, remote)
    shares = BoundHead(trial.head, data.offered).probabilities(
        data.embeddings.part(test), [data.texts[row] for row in test]
    )
    sure = trial.head.steps(shares.max(axis=1)) >= threshold
    right = shares.argmax(axis=1) + 1 == data.labels[test]
    answered = float(right[sure].mean()) if sure.any() else 0.0
    return float(sure.mean()), float(np.where(sure, right, by_remote).mean()), answered


def _threshold(trial: Any, remote: float) -> float:
    confidences = trial.head.steps(trial.probabilities.max(axis=1))
    order = np.argsort(-confidences)
    hits = np.cumsum(trial.head.record.right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(hits >= remote)
    return float(confidences[order][enough[-1]]) if len(enough) else 2.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--remote", type=float, default=0.92, help="how often the remote model is right")
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="*", default=[100, 300, 500, 1_000, 3_000, 9_000])
    main(**vars(parser.parse_args()))
