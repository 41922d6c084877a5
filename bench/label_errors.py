"""Share of wrong labels that the label issues find, after labels are flipped to the most confused class."""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import fresh_installation, table
from bench.replays import Replay

SHARES = (0.05, 0.10, 0.20)


def main(file: Path, axis: str, flipped: float, orders: int, most: int) -> None:
    fresh_installation()
    data = Replay(file, axis, 0.25)
    rows = []
    begun = time.perf_counter()
    for seed in range(orders):
        taught = np.random.default_rng(seed).permutation(np.flatnonzero(~data.test))[:most]
        rows.append([str(seed), *(f"{share:.3f}" for share in _found_shares(data, taught, flipped, seed))])
    means = [statistics.mean(float(row[column]) for row in rows) for column in range(1, 2 + len(SHARES))]
    rows.append(["mean", *(f"{mean:.3f}" for mean in means)])
    table(
        f"{file.name}, {axis}: {flipped:.0%} of {len(taught)} labels flipped",
        ["order", "ranking AUROC", *(f"found in first {share:.0%}" for share in SHARES)],
        rows,
    )
    print(f"{(time.perf_counter() - begun) / orders:.0f} s an order")


def _found_shares(data: Replay, taught: Any, flipped: float, seed: int) -> list[float]:
    """The AUROC of the ranking, and the shares of flipped labels found in the first parts of the list."""
    from dataclasses import replace

    from classifier.learning.training import learn

    examples = data.examples(taught)
    honest = learn(examples, data.offered, thorough=True)
    assert honest
    wrong = np.random.default_rng(seed + 100).random(len(taught)) < flipped
    labels = examples.labels.copy()
    for row, shares in zip(honest.rows, honest.probabilities, strict=True):
        if wrong[row]:
            likeliest = np.argsort(-shares)[:2] + 1
            labels[row] = likeliest[0] if likeliest[0] != examples.labels[row] else likeliest[1]
    trial = learn(replace(examples, labels=labels), data.offered, thorough=True)
    assert trial
    beliefs = trial.probabilities[np.arange(len(trial.rows)), labels[trial.rows] - 1]
    ranked = wrong[trial.rows][np.argsort(beliefs, kind="stable")]
    places = np.flatnonzero(ranked) + 1
    others = len(ranked) - len(places)
    auroc = 1 - (places.sum() - len(places) * (len(places) + 1) / 2) / (len(places) * others)
    return [float(auroc), *(float(ranked[: round(share * len(ranked))].sum() / len(places)) for share in SHARES)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--axis", choices=["category", "sentiment"], default="category")
    parser.add_argument("--flipped", type=float, default=0.05)
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--most", type=int, default=20_000, help="labels learned from")
    main(**vars(parser.parse_args()))
