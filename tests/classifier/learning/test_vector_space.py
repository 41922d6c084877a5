"""How much traffic each example represents."""

import numpy as np
import pytest

from classifier.learning.vector_space import coverage_weights
from tests.classifier.learning import clouds


def test_coverage_weights_are_the_smoothed_share_of_nearest_texts() -> None:
    middles = clouds.middles(3)
    coming = np.repeat(middles, [300, 100, 0], axis=0)
    # On average 400 / 3 lie nearest to one, and half as much is added to each.
    assert coverage_weights(middles, coming) == pytest.approx([(2.25 + 0.5) / 1.5, (0.75 + 0.5) / 1.5, 0.5 / 1.5])


def test_coverage_weights_average_one() -> None:
    examples, coming = clouds.examples([30, 2, 8], spread=1), clouds.examples([300, 300, 700], spread=1, seed=5)
    weights = coverage_weights(examples.embeddings.common(), coming.embeddings.common())
    assert weights.mean() == pytest.approx(1)
    assert (weights > 0.3).all()
    rare = examples.labels == 2
    assert weights[rare].mean() > 2 * weights[~rare].mean()


def test_without_incoming_texts_all_weights_are_equal() -> None:
    nothing = np.zeros((0, clouds.WIDTH), np.float32)
    assert coverage_weights(clouds.middles(3), nothing).tolist() == [1, 1, 1]
    assert coverage_weights(nothing, clouds.middles(3)).tolist() == []
