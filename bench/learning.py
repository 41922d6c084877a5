"""Accuracy of the specialist as labels arrive: a labelled file replayed in several orders.

Each step asks for the labels that are next in the order, trains, and deploys the result if it is better, as the product
does. Accuracy is the live head's on texts that were never labelled.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import fresh_installation, table
from bench.replays import Replay

SHOWN = (0, 20, 50, 100, 200, 300, 500, 1_000, 3_000)
FIRST = 40


def replay(data: Replay, blind: float, seed: int, most: int, marks: tuple[float, ...]) -> dict[Any, float]:
    """The live head's accuracy by number of labels, and the labels it took by mark. The share `blind` of each step is
    drawn at random.
    """
    from classifier.learning.comparison import compare
    from classifier.learning.heads import Head
    from classifier.learning.training import learn

    pool = np.random.default_rng(seed).permutation(np.flatnonzero(~data.test))
    asked, drawn = pool[:0], np.zeros(0, bool)
    live = newest = Head.untrained()
    accuracies: dict[Any, float] = {0: data.accuracy(live)}
    while len(asked) < min(most, int((~data.test).sum())):
        coming = next((mark for mark in (*SHOWN, most) if mark > len(asked)), most)
        step = min(max(20, len(asked) // 20), coming - len(asked), FIRST)
        if len(asked) >= 1_000:
            step = coming - len(asked)
        chosen = data.next_ones(round(blind * step), pool, asked, newest, step)
        drawn = np.concatenate([drawn, np.arange(len(chosen)) < round(blind * step)])
        asked, pool = np.concatenate([asked, chosen]), pool[~np.isin(pool, chosen)]
        examples = data.examples(asked, drawn)
        trial = learn(examples, data.offered)
        newest = trial.head if trial else newest
        if compare(newest, live, examples, data.offered).wins:
            live = newest
        accuracies[len(asked)] = data.accuracy(live)
        for mark in marks:
            if accuracies[len(asked)] >= mark:
                accuracies.setdefault(f"{mark:.0%}", len(asked))
    return accuracies


def main(file: Path, axis: str, orders: int, most: int, marks: list[float], blind: float, random: bool) -> None:
    fresh_installation()
    data = Replay(file, axis, 0.25)
    rows = []
    for order, share in (("random", 1.0), ("ours", blind))[0 if random else 1 :]:
        begun = time.perf_counter()
        runs = [replay(data, share, seed, most, tuple(marks)) for seed in range(orders)]
        for count in sorted({key for key in runs[0] if isinstance(key, int)} & {*SHOWN, max(runs[0], key=_number)}):
            rows.append([order, count, *_spread([run[count] for run in runs])])
        for mark in (f"{mark:.0%}" for mark in marks):
            reached = [run[mark] for run in runs if mark in run]
            rows.append(
                [
                    order,
                    f"labels to {mark}",
                    f"{statistics.mean(reached):.0f}" if reached else "-",
                    f"{len(reached)} of {orders}",
                ]
            )
        rows.append([order, "seconds an order", f"{(time.perf_counter() - begun) / orders:.0f}", ""])
    table(
        f"{file.name}, {axis}: {int(data.test.sum())} texts measured with, {orders} orders",
        ["order", "labels", "accuracy", "spread"],
        rows,
    )


def _number(key: Any) -> int:
    return key if isinstance(key, int) else -1


def _spread(values: list[float]) -> tuple[str, str]:
    return f"{statistics.mean(values):.3f}", f"{statistics.stdev(values):.3f}" if len(values) > 1 else "-"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with id, text, labels and maybe split")
    parser.add_argument("--axis", choices=["category", "sentiment"], default="category")
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--most", type=int, default=3_000, help="labels asked for")
    parser.add_argument("--marks", type=float, nargs="*", default=[0.85, 0.88], help="accuracies to reach")
    parser.add_argument("--blind", type=float, default=0.1, help="share of tickets that people get because drawn")
    parser.add_argument("--no-random", dest="random", action="store_false", help="our order alone")
    main(**vars(parser.parse_args()))
