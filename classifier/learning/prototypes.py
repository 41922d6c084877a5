"""A label's position before it has examples, from its name, description and example texts."""

import numpy as np

from classifier.contract.types import Option
from classifier.learning.vector_space import Floats, unit


def label_texts(option: Option) -> list[str]:
    """What the encoder reads of a label: its name with its description, then its examples."""
    name = option.name.replace(" > ", " ").replace("_", " ")
    described = f"{name}: {option.description}" if option.description else name
    return [described, *option.examples]


def prototype(vectors: Floats) -> Floats:
    """The unit vector of a label; its description weighs as much as all its examples together."""
    mean = vectors[0] if len(vectors) == 1 else vectors[0] + vectors[1:].mean(axis=0)
    return np.asarray(unit(mean[None])[0], np.float32)
