"""Texts about one thing are found, and the words that tell them from others."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from classifier.learning.vector_space import Floats, Ints, centred, shrunken_mean
from review.specialist.clusters import MIN_TEXTS, SAME_TOPIC_FROM, Vocabulary, clusters, words_in

WIDTH = 384


def around(middles: int, each: int, *, spread: float, seed: int = 1) -> Floats:
    """Unit vectors about so many middles, `each` about each, one middle after the other."""
    chance = np.random.default_rng(seed)
    middle = np.repeat(chance.normal(size=(middles, WIDTH)), each, axis=0)
    points = middle + spread * chance.normal(size=middle.shape)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


def as_sets(groups: list[Ints]) -> set[frozenset[int]]:
    return {frozenset(map(int, group)) for group in groups}


def test_similar_texts_form_clusters_apart_from_others() -> None:
    groups = clusters(around(4, 12, spread=0.4))
    assert as_sets(groups) == {frozenset(range(start, start + 12)) for start in (0, 12, 24, 36)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [0.3, 1.0, 1.6])
def test_clusters_match_average_linkage(spread: float, seed: int) -> None:
    vectors = around(9, 11, spread=spread, seed=seed)
    placed = centred(vectors, shrunken_mean(vectors)).astype(np.float64)
    labels = fcluster(linkage(placed, "average", metric="cosine"), 1 - SAME_TOPIC_FROM, "distance")
    expected = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    assert as_sets(clusters(vectors, fewest=1)) == expected


def test_clusters_do_not_depend_on_the_order_of_texts() -> None:
    vectors = around(6, 10, spread=1.0)
    order = np.random.default_rng(2).permutation(len(vectors))
    turned = [np.array([order[place] for place in group]) for group in clusters(vectors[order])]
    assert as_sets(turned) == as_sets(clusters(vectors))


def test_texts_unlike_all_others_are_in_no_cluster() -> None:
    alone = around(30, 1, spread=0.0, seed=3)
    together = around(1, 8, spread=0.4, seed=4)
    assert as_sets(clusters(np.concatenate([alone, together]))) == {frozenset(range(30, 38))}


def test_a_cluster_of_too_few_texts_is_dropped() -> None:
    assert clusters(around(5, MIN_TEXTS - 1, spread=0.3)) == []
    assert clusters(np.zeros((0, WIDTH), np.float32)) == []


def test_the_largest_cluster_comes_first_and_its_most_central_text() -> None:
    few, many = around(1, 6, spread=0.5, seed=5), around(1, 15, spread=0.5, seed=6)
    first, second = clusters(np.concatenate([few, many]))
    assert (len(first), len(second)) == (15, 6)
    placed = centred(np.concatenate([few, many]), shrunken_mean(np.concatenate([few, many])))
    closeness = placed[first] @ placed[first].mean(axis=0)
    assert list(closeness) == sorted(closeness, reverse=True)


def test_identical_texts_form_one_cluster() -> None:
    first, second = around(2, 1, spread=0.0)
    assert as_sets(clusters(np.stack([first] * 7 + [second] * 6))) == {frozenset(range(7)), frozenset(range(7, 13))}


def test_distinctive_words_set_a_cluster_apart() -> None:
    refunds = ["please refund my order", "I want a refund of the order", "where is my refund"]
    others = ["my order is late", "the order never came", "change the order please", "an order for two"]
    words = Vocabulary(refunds * 3 + others * 3).distinctive(np.arange(9), 5)
    assert words[0] == "refund"
    assert "order" not in words


def test_only_one_form_of_a_word_is_distinctive() -> None:
    texts = ["transfer failed", "transfers failed", "transfer-fee failed", "a failed transfer"] * 3
    words = Vocabulary([*texts, *["hello there friend"] * 12]).distinctive(np.arange(12), 5)
    assert sorted(words) == ["failed", "transfer"]


@pytest.mark.parametrize("text", ["<b>", "https://example.org/refund", "@somebody", "[email]", "I don't 12 xxxx it is"])
def test_stop_words_markup_and_urls_are_not_words(text: str) -> None:
    assert words_in(text) == set()
