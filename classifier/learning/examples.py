"""Labelled texts to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.learning.vector_space import Bools, Embeddings, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Labelled texts: their keys, raw embeddings, the keys of their labels on one axis, and their groups:
    near-duplicates share a group and are held out together.

    `random_sample` says whether a text was sampled at random for labelling; `weights`, one on average, how much of the
    incoming traffic it represents.
    """

    keys: Ints
    texts: Sequence[str]
    embeddings: Embeddings
    labels: Ints
    groups: Ints
    random_sample: Bools
    weights: Floats

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, which: Ints) -> "Examples":
        return Examples(
            keys=self.keys[which],
            texts=[self.texts[number] for number in which],
            embeddings=self.embeddings.part(which),
            labels=self.labels[which],
            groups=self.groups[which],
            random_sample=self.random_sample[which],
            weights=self.weights[which],
        )
