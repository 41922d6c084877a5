import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.embeddings.nearest_examples import build_index
from classifier.learning.vector_space import Floats, centred

pytestmark = pytest.mark.once

WIDTH = 384


def vectors(count: int, directions: int, seed: int) -> Floats:
    """Vectors of length one that differ in only this many directions."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(count, directions)) @ random.normal(size=(directions, WIDTH))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


@given(st.integers(0, 300), st.sampled_from([2, 40, WIDTH]), st.integers(1, 5), st.integers(0, 1_000))
def test_the_index_finds_the_same_neighbours_as_a_full_scan(count: int, directions: int, most: int, seed: int) -> None:
    points = vectors(count + 3, directions, seed)
    examples, texts = points[3:], points[:3]
    index = build_index(np.arange(count), examples)
    neighbours = index.nearest(texts, most)
    every = centred(texts, index.centre) @ index.vectors.T
    for near, closeness in zip(neighbours, every, strict=True):
        np.testing.assert_allclose(
            [neighbour.closeness for neighbour in near], np.sort(closeness)[::-1][:most], atol=1e-5
        )
        np.testing.assert_allclose(
            [neighbour.closeness for neighbour in near], closeness[[neighbour.key for neighbour in near]], atol=1e-5
        )
