"""Where a label lies before anybody has used it: by what it is called, described as, and shown by."""

from __future__ import annotations

import numpy as np

from classifier.contract.types import Option
from classifier.learning.vector_space import Floats, unit


def label_texts(option: Option) -> list[str]:
    """What an encoder reads of a label: its name with its description, then its examples."""
    name = option.name.replace(" > ", " ").replace("_", " ")
    described = f"{name}: {option.description}" if option.description else name
    return [described, *option.examples]


def prototype(vectors: Floats) -> Floats:
    """At length one, from the vectors of these texts: the description weighs as much as all examples together."""
    mean = vectors[0] if len(vectors) == 1 else vectors[0] + vectors[1:].mean(axis=0)
    return np.asarray(unit(mean[None])[0], np.float32)
