"""How accurate the specialist is as labels come in: a file replayed with its labels as reviewers, in several orders.

Each step asks for the labels that are next in the order, trains, and promotes or not, as the product does; what is told
is the accuracy of what serves on texts that were never asked about.
"""

import argparse
import gzip
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import fresh_installation, table

SHOWN = (0, 20, 50, 100, 200, 300, 500, 1_000, 3_000)
FIRST = 40


class Replay:
    """A file with its vectors, the labels of one axis, and which of its texts are kept to measure with."""

    def __init__(self, file: Path, axis: str, test_share: float) -> None:
        from classifier import vectors
        from classifier.models import Sentiment
        from review.learning.lesson import offered

        with gzip.open(file, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        rows = [row for row in rows if row[axis]]
        names = sorted({row[axis] for row in rows})
        self.texts = [row["text"] for row in rows]
        self.labels = np.array([names.index(row[axis]) + 1 for row in rows])
        self.vectors = vectors.of(self.texts)
        draws = np.random.default_rng(0).random(len(rows))
        self.test = np.array(
            [
                row.get("split") == "test" or ("split" not in row and draw < test_share)
                for row, draw in zip(rows, draws, strict=True)
            ]
        )
        self.offered = offered(self._options(axis, names, {one.name: one for one in Sentiment.objects.all()}))

    @staticmethod
    def _options(axis: str, names: list[str], sentiments: dict[str, Any]) -> list[Any]:
        """Categories have their names and nothing else; sentiments are those of the default taxonomy."""
        from classifier.contract import Option

        if axis == "category":
            return [Option(name=name, keys=(number + 1,)) for number, name in enumerate(names)]
        options = [sentiments[name].option(name) for name in names]
        return [
            Option(name=one.name, description=one.description, examples=one.examples, keys=(number + 1,))
            for number, one in enumerate(options)
        ]

    def accuracy(self, axis: Any) -> float:
        from classifier.learning.axis import Bound

        rows = np.flatnonzero(self.test)
        texts = [self.texts[row] for row in rows]
        shares = Bound(axis, self.offered).probabilities(self.vectors[rows], texts)
        return float((shares.argmax(axis=1) + 1 == self.labels[rows]).mean())

    def examples(self, rows: Any) -> Any:
        from classifier.learning.training import Examples

        return Examples(
            keys=rows,
            texts=[self.texts[row] for row in rows],
            vectors=self.vectors[rows],
            labels=self.labels[rows],
            groups=rows,
        )

    def next_ones(self, order: str, pool: Any, asked: Any, newest: Any, count: int) -> Any:
        """Which of the pool people are asked about next."""
        if order == "random":
            return pool[:count]
        from classifier.learning.axis import Bound
        from classifier.learning.space import centre_of, centred
        from review.order import most_instructive

        pool = pool[:5_000]
        shares = np.sort(
            Bound(newest, self.offered).probabilities(self.vectors[pool], [self.texts[row] for row in pool])
        )
        centre = centre_of(self.vectors[pool])
        found = centred(self.vectors[pool], centre)
        known = found @ centred(self.vectors[asked], centre).T if len(asked) else np.zeros((len(pool), 1), np.float32)
        chosen = most_instructive(found, 1 - (shares[:, -1] - shares[:, -2]), np.maximum(known.max(axis=1), 0), count)
        return pool[chosen[:count]]


def replay(data: Replay, order: str, seed: int, most: int, marks: tuple[float, ...]) -> dict[Any, float]:
    """By number of labels, the accuracy of what serves; and by mark, the labels it took to reach it."""
    from classifier.learning.axis import Axis
    from classifier.learning.training import compare, learn

    pool = np.random.default_rng(seed).permutation(np.flatnonzero(~data.test))
    asked = pool[:0]
    serving = newest = Axis.unlearned()
    said: dict[Any, float] = {0: data.accuracy(serving)}
    while len(asked) < min(most, int((~data.test).sum())):
        coming = next((mark for mark in (*SHOWN, most) if mark > len(asked)), most)
        step = min(max(20, len(asked) // 20), coming - len(asked), FIRST)
        if len(asked) >= 1_000:
            step = coming - len(asked)
        chosen = data.next_ones(order, pool, asked, newest, step)
        asked, pool = np.concatenate([asked, chosen]), pool[~np.isin(pool, chosen)]
        examples = data.examples(asked)
        trial = learn(examples, data.offered)
        newest = trial.axis if trial else newest
        if compare(newest, serving, examples, data.offered).wins:
            serving = newest
        said[len(asked)] = data.accuracy(serving)
        for mark in marks:
            if said[len(asked)] >= mark:
                said.setdefault(f"{mark:.0%}", len(asked))
    return said


def main(file: Path, axis: str, orders: int, most: int, marks: list[float]) -> None:
    fresh_installation()
    data = Replay(file, axis, 0.25)
    rows = []
    for order in ("random", "ours"):
        begun = time.perf_counter()
        runs = [replay(data, order, seed, most, tuple(marks)) for seed in range(orders)]
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
    main(**vars(parser.parse_args()))
