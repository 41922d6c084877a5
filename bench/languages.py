"""Labels in one language, texts in many: accuracy, and how far confidence is from it, by language."""

import argparse
import gzip
import json
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np

from bench.harness import fresh_installation, table

OWN_LABELS = 50
BINS = 10


def main(file: Path, taught: str, labels: int, seeds: int) -> None:
    fresh_installation()
    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    data = Texts(rows)
    languages = sorted({row["lang"] for row in rows})
    english = [data.measure(data.sample(taught, labels, seed)) for seed in range(seeds)]
    own = {
        language: [
            data.measure(np.concatenate([data.sample(taught, labels, seed), data.sample(language, OWN_LABELS, seed)]))
            for seed in range(seeds)
        ]
        for language in languages
        if language != taught
    }
    zero = data.measure(np.zeros(0, np.int64))
    table(
        f"{file.name}: {labels} labels in {taught}, {seeds} samples",
        ["language", "no label", f"labels in {taught}", "spread", "ECE", f"and {OWN_LABELS} of its own", "ECE"],
        [
            [
                language,
                f"{zero[language][0]:.3f}",
                *_figures([result[language] for result in english]),
                *(["", ""] if language == taught else _figures([result[language] for result in own[language]])[::2]),
            ]
            for language in languages
        ],
    )


def _figures(results: list[tuple[float, float]]) -> tuple[str, str, str]:
    accuracies, errors = zip(*results, strict=True)
    return f"{mean(accuracies):.3f}", f"{pstdev(accuracies):.3f}", f"{mean(errors):.3f}"


class Texts:
    """The texts with their embeddings; those of the split `test` are measured with, the others taught."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        from classifier.contract.types import Option
        from classifier.embeddings import vector_store
        from review.specialist.training_data import offered_labels

        names = sorted({row["category"] for row in rows})
        self._texts = [row["text"] for row in rows]
        self._labels = np.array([names.index(row["category"]) + 1 for row in rows])
        self._languages = np.array([row["lang"] for row in rows])
        self._test = np.array([row["split"] == "test" for row in rows])
        self._embeddings = vector_store.embeddings_for(self._texts)
        options = [
            Option(name=name.split("/")[-1].replace("_", " "), keys=(place + 1,)) for place, name in enumerate(names)
        ]
        self._offered = offered_labels(options)

    def sample(self, language: str, count: int, seed: int) -> Any:
        """Texts of a language that are not measured with."""
        pool = np.flatnonzero(~self._test & (self._languages == language))
        return np.random.default_rng(seed).permutation(pool)[:count]

    def measure(self, taught: Any) -> dict[str, tuple[float, float]]:
        """By language, accuracy and expected calibration error of a head taught with these rows."""
        from classifier.learning.examples import Examples
        from classifier.learning.heads import BoundHead, Head
        from classifier.learning.training import learn

        examples = Examples(
            keys=taught,
            texts=[self._texts[row] for row in taught],
            embeddings=self._embeddings.part(taught),
            labels=self._labels[taught],
            groups=taught,
            random_sample=np.ones(len(taught), bool),
            weights=np.ones(len(taught), np.float32),
        )
        trial = learn(examples, self._offered) if len(taught) else None
        bound, results = BoundHead(trial.head if trial else Head.untrained(), self._offered), {}
        for language in sorted(set(self._languages)):
            rows = np.flatnonzero(self._test & (self._languages == language))
            texts, part = [self._texts[row] for row in rows], self._embeddings.part(rows)
            shares = bound.probabilities(part, texts)
            right = shares.argmax(axis=1) + 1 == self._labels[rows]
            results[language] = float(right.mean()), _calibration_error(bound.confidences(shares, part, texts), right)
        return results


def _calibration_error(confidences: Any, right: Any) -> float:
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    gaps = [abs(float((right - confidences)[bins == place].sum())) for place in range(BINS)]
    return sum(gaps) / len(right)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with text, category, lang and split")
    parser.add_argument("--taught", default="en", help="language of the labels")
    parser.add_argument("--labels", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    main(**vars(parser.parse_args()))
