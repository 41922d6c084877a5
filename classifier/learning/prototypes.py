"""A label's position before it has examples, from its name, description and example texts."""

from collections.abc import Callable, Sequence

import numpy as np

from classifier.contract.types import Option
from classifier.learning.heads import OfferedLabel
from classifier.learning.vector_space import Embeddings, Floats, unit

Encode = Callable[[list[str]], Embeddings]
"""Has every encoder read every text."""


def label_texts(option: Option) -> list[str]:
    """What the encoder reads of a label: its name with its description, then its examples."""
    name = option.name.replace(" > ", " ").replace("_", " ")
    described = f"{name}: {option.description}" if option.description else name
    return [described, *option.examples]


def offered_labels(options: Sequence[Option], encode: Encode) -> list[OfferedLabel]:
    """The labels with their prototypes."""
    texts = [label_texts(option) for option in options]
    unique = list(dict.fromkeys(text for of_option in texts for text in of_option))
    places, embeddings = {text: row for row, text in enumerate(unique)}, encode(unique)
    return [
        OfferedLabel(
            option.keys,
            {
                name: prototype(vectors[[places[text] for text in of_option]])
                for name, vectors in embeddings.by_encoder.items()
            },
        )
        for option, of_option in zip(options, texts, strict=True)
    ]


def prototype(vectors: Floats) -> Floats:
    """The unit vector of a label; its description weighs as much as all its examples together."""
    mean = vectors[0] if len(vectors) == 1 else vectors[0] + vectors[1:].mean(axis=0)
    return np.asarray(unit(mean[None])[0], np.float32)
