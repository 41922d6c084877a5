"""A file of labelled messages, presented to the specialist over time."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

COMING = 2_000


class Replay:
    """A file with its vectors, the labels of one axis, and which of its texts are held out for measuring."""

    def __init__(self, file: Path, axis: str, test_share: float) -> None:
        from classifier.embeddings import vector_store
        from classifier.models import Sentiment
        from review.specialist.training_data import offered_labels, offered_sentiments

        with gzip.open(file, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        rows = [row for row in rows if row[axis]]
        names = sorted({row[axis] for row in rows})
        self.texts = [row["text"] for row in rows]
        self.labels = np.array([names.index(row[axis]) + 1 for row in rows])
        self.embeddings = vector_store.embeddings_for(self.texts)
        # For what compares texts with each other.
        self.vectors = self.embeddings.common()
        draws = np.random.default_rng(0).random(len(rows))
        self.test = np.array(
            [
                row.get("split") == "test" or ("split" not in row and draw < test_share)
                for row, draw in zip(rows, draws, strict=True)
            ]
        )
        sentiments = {sentiment.name: sentiment for sentiment in Sentiment.objects.all()}
        offered = offered_labels if axis == "category" else offered_sentiments
        self.offered = offered(self._options(axis, names, sentiments))

    @staticmethod
    def _options(axis: str, names: list[str], sentiments: dict[str, Any]) -> list[Any]:
        """Categories have their names and nothing else; sentiments are those of the default taxonomy."""
        from classifier.contract.types import Option

        if axis == "category":
            return [Option(name=name, keys=(number + 1,)) for number, name in enumerate(names)]
        options = [sentiments[name].option(name) for name in names]
        return [
            Option(name=option.name, description=option.description, examples=option.examples, keys=(number + 1,))
            for number, option in enumerate(options)
        ]

    def accuracy(self, axis: Any) -> float:
        from classifier.learning.heads import BoundHead

        rows = np.flatnonzero(self.test)
        texts = [self.texts[row] for row in rows]
        shares = BoundHead(axis, self.offered).probabilities(self.embeddings.part(rows), texts)
        return float((shares.argmax(axis=1) + 1 == self.labels[rows]).mean())

    def examples(self, rows: Any, random_sample: Any = None) -> Any:
        """Examples of these rows, weighted by how common they are among the texts that are not held out."""
        from classifier.learning.examples import Examples
        from classifier.learning.vector_space import coverage_weights

        return Examples(
            keys=rows,
            texts=[self.texts[row] for row in rows],
            embeddings=self.embeddings.part(rows),
            labels=self.labels[rows],
            groups=rows,
            random_sample=np.zeros(len(rows), bool) if random_sample is None else random_sample,
            weights=coverage_weights(self.vectors[rows], self.vectors[np.flatnonzero(~self.test)[-COMING:]]),
        )

    def next_ones(self, blind: int, pool: Any, asked: Any, newest: Any, count: int) -> Any:
        """The next texts to label: `blind` random ones, then the most informative ones."""
        if blind == count:
            return pool[:count]
        random_sample, pool, count = pool[:blind], pool[blind:], count - blind
        from classifier.learning.heads import BoundHead
        from classifier.learning.vector_space import centred, shrunken_mean
        from review.workflow.priority import most_informative_first

        pool = pool[:5_000]
        shares = np.sort(
            BoundHead(newest, self.offered).probabilities(self.embeddings.part(pool), [self.texts[row] for row in pool])
        )
        centre = shrunken_mean(self.vectors[pool])
        vectors = centred(self.vectors[pool], centre)
        known = vectors @ centred(self.vectors[asked], centre).T if len(asked) else np.zeros((len(pool), 1), np.float32)
        chosen = most_informative_first(
            vectors, 1 - (shares[:, -1] - shares[:, -2]), np.maximum(known.max(axis=1), 0), count
        )
        return np.concatenate([random_sample, pool[chosen[:count]]])
