from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.learning.comparison import compare
from classifier.learning.examples import Examples
from classifier.learning.heads import BoundHead, Head, OfferedLabel
from classifier.learning.training import folds, learn
from tests.classifier.learning import clouds

pytestmark = pytest.mark.once


def accuracy(axis: Head, offered: list[OfferedLabel], *, seed: int = 50, labels: int = 5) -> float:
    unseen = clouds.examples([40] * labels, seed=seed, first_key=10_000)
    shares = BoundHead(axis, offered).probabilities(unseen.embeddings, unseen.texts)
    return float((shares.argmax(axis=1) + 1 == unseen.labels).mean())


@cache
def equals() -> tuple[Examples, list[OfferedLabel], Head]:
    taught, offered = clouds.examples([30, 30]), clouds.offered(2)
    trial = learn(taught, offered)
    assert trial
    return taught, offered, trial.head


def test_more_labels_make_it_better() -> None:
    offered = clouds.offered(5, misplaced=4)
    before = accuracy(Head.untrained(), offered)
    few, many = (learn(clouds.examples([count] * 5), offered) for count in (4, 60))
    assert few
    assert many
    assert before < accuracy(few.head, offered) < accuracy(many.head, offered)


def test_training_is_deterministic() -> None:
    offered, taught = clouds.offered(4), clouds.examples([12, 9, 30, 3])
    first, second = learn(taught, offered), learn(taught, offered)
    assert first
    assert second
    assert first.head.recipe == second.head.recipe
    one, other = (trial.head.families[clouds.ENCODER].correction.weights for trial in (first, second))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.head.words.weights, second.head.words.weights)
    np.testing.assert_array_equal(first.head.record.losses, second.head.record.losses)


def test_held_out_scores_never_come_from_a_near_duplicate() -> None:
    """Each example has a vector of its own, so a head that had seen its twin would know it."""
    taught = clouds.examples([40, 40], spread=30)
    twins = replace(
        taught,
        keys=np.arange(1, 161),
        texts=["a text"] * 160,
        embeddings=clouds.stacked(taught, taught),
        labels=np.concatenate([taught.labels, taught.labels]),
        groups=np.concatenate([taught.groups, taught.groups]),
        random_sample=np.zeros(160, bool),
        weights=np.ones(160, np.float32),
    )
    trial = learn(twins, clouds.offered(2, misplaced=30))
    assert trial
    assert 0.2 < trial.head.record.right.mean() < 0.8


@given(st.lists(st.integers(0, 40), min_size=2, max_size=200), st.booleans())
def test_a_group_is_held_out_together(groups: list[int], thorough: bool) -> None:
    held_out = []
    for inside, outside in folds(np.array(groups), thorough=thorough):
        assert not {groups[row] for row in inside} & {groups[row] for row in outside}
        held_out += outside.tolist()
    assert len(held_out) == len(set(held_out))


def test_every_example_is_held_out_once_when_it_is_thorough() -> None:
    groups = np.arange(4_000)
    assert sum(len(outside) for _inside, outside in folds(groups)) < 1_000
    assert sum(len(outside) for _inside, outside in folds(groups, thorough=True)) == 4_000


def test_a_category_with_one_label_is_learned_beside_the_others() -> None:
    trial = learn(clouds.examples([20, 20, 1]), clouds.offered(3))
    assert trial
    assert trial.head.keys.tolist() == [1, 2, 3]
    assert np.isfinite(trial.head.record.losses).all()


@pytest.mark.parametrize("counts", [[30], [30, 0, 0], [4, 4]])
def test_too_few_examples_train_nothing(counts: list[int]) -> None:
    assert learn(clouds.examples(counts), clouds.offered(3)) is None


def test_examples_of_one_label_train_nothing() -> None:
    """Nothing could be held out for a test."""
    taught = clouds.examples([15, 15])
    assert learn(replace(taught, groups=np.ones(30, np.int64)), clouds.offered(2)) is None


def test_five_hundred_categories_are_learned() -> None:
    trial = learn(clouds.examples([2] * 500, spread=0.8), clouds.offered(500, misplaced=3))
    assert trial
    unseen = clouds.examples([1] * 500, spread=0.8, seed=9, first_key=90_000)
    shares = BoundHead(trial.head, clouds.offered(500, misplaced=3)).probabilities(unseen.embeddings, unseen.texts)
    assert (shares.argmax(axis=1) + 1 == unseen.labels).mean() > 0.9


def test_labels_that_are_not_offered_are_left_out() -> None:
    trial = learn(clouds.examples([20, 20, 20]), clouds.offered(2))
    assert trial
    assert set(trial.head.record.labels.tolist()) == {1, 2}


def test_a_new_label_takes_effect_at_once() -> None:
    offered = clouds.offered(5)
    trial = learn(clouds.examples([30, 30, 30, 30]), offered[:4])
    assert trial
    fifth = clouds.examples([0, 0, 0, 0, 30], spread=1.0, seed=5)
    shares = BoundHead(trial.head, offered).probabilities(fifth.embeddings, fifth.texts)
    assert (shares.argmax(axis=1) == 4).mean() > 0.6


def test_a_merged_label_answers_for_its_successor() -> None:
    offered = clouds.offered(3)
    trial = learn(clouds.examples([40, 40, 40]), offered)
    assert trial
    merged = [OfferedLabel((1, 3), offered[0].prototype), offered[1]]
    thirds = clouds.examples([0, 0, 30], seed=5)
    shares = BoundHead(trial.head, merged).probabilities(thirds.embeddings, thirds.texts)
    assert (shares.argmax(axis=1) == 0).mean() > 0.9
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_a_retired_label_is_not_predicted() -> None:
    offered = clouds.offered(3)
    trial = learn(clouds.examples([30, 30, 30]), offered)
    assert trial
    shares = BoundHead(trial.head, offered[:2]).probabilities(clouds.examples([5, 5, 5]).embeddings, ["text"] * 15)
    assert shares.shape == (15, 2)


def test_probabilities_are_calibrated() -> None:
    offered = clouds.offered(5)
    trial = learn(clouds.examples([250] * 5), offered)
    assert trial
    unseen = clouds.examples([200] * 5, seed=70, first_key=50_000)
    shares = BoundHead(trial.head, offered).probabilities(unseen.embeddings, unseen.texts)
    confidences = trial.head.steps(shares.max(axis=1))
    right = shares.argmax(axis=1) + 1 == unseen.labels
    assert abs(confidences.mean() - right.mean()) < 0.05


def test_words_only_probabilities_are_calibrated() -> None:
    offered = clouds.offered(5)
    trial = learn(clouds.examples([60] * 5), offered)
    assert trial
    unseen = clouds.examples([200] * 5, seed=70, first_key=50_000)
    shares = BoundHead(trial.head, offered).by_words(unseen.texts)
    right = shares.argmax(axis=1) + 1 == unseen.labels
    assert abs(shares.max(axis=1).mean() - right.mean()) < 0.08


def test_a_candidate_that_is_better_wins() -> None:
    offered, taught = clouds.offered(5, misplaced=4), clouds.examples([40] * 5)
    trial = learn(taught, offered)
    assert trial
    comparison = compare(trial.head, Head.untrained(), taught, offered)
    assert comparison.wins
    assert comparison.items == 200
    assert comparison.accuracy > comparison.accuracy_before


def test_an_identical_candidate_does_not_win() -> None:
    offered, taught = clouds.offered(5), clouds.examples([40] * 5)
    trial = learn(taught, offered)
    assert trial
    comparison = compare(trial.head, trial.head, taught, offered)
    assert comparison.items == 200
    assert not comparison.wins


def test_a_candidate_trained_on_wrong_labels_does_not_win() -> None:
    offered, taught = clouds.offered(5, misplaced=0.2), clouds.examples([20] * 5)
    wrong = replace(taught, labels=np.random.default_rng(3).permutation(taught.labels))
    trial = learn(wrong, offered)
    assert trial
    assert not compare(trial.head, Head.untrained(), taught, offered).wins


def test_examples_that_the_live_version_trained_on_are_not_compared() -> None:
    """Its held-out record counts for those, its predictions for new ones."""
    offered = clouds.offered(3)
    old, new = clouds.examples([10] * 3), clouds.examples([10] * 3, seed=8, first_key=500)
    serving = learn(old, offered)
    assert serving
    both = replace(
        old,
        keys=np.concatenate([old.keys, new.keys]),
        texts=[*old.texts, *new.texts],
        embeddings=clouds.stacked(old, new),
        labels=np.concatenate([old.labels, new.labels]),
        groups=np.concatenate([old.groups, new.groups]),
        random_sample=np.zeros(60, bool),
        weights=np.ones(60, np.float32),
    )
    candidate = learn(both, offered)
    assert candidate
    comparison = compare(candidate.head, serving.head, both, offered)
    shares = BoundHead(serving.head, offered).probabilities(new.embeddings, new.texts)
    hits = serving.head.record.right.sum() + (shares.argmax(axis=1) + 1 == new.labels).sum()
    assert comparison.items == 60
    assert comparison.accuracy_before == pytest.approx(hits / 60)


@given(st.integers(0, 10_000))
def test_noise_alone_does_not_win(seed: int) -> None:
    """Two heads of equal accuracy and confidence tie, whichever is live."""
    taught, offered, axis = equals()
    losses = np.random.default_rng(seed).permutation(axis.record.losses)
    comparison = compare(axis, replace(axis, record=replace(axis.record, losses=losses)), taught, offered)
    assert comparison.gain == pytest.approx(0, abs=1e-6)
    assert not comparison.wins


def test_weighted_examples_count_by_their_weight() -> None:
    """The candidate is worse on two thirds of the examples, which represent little traffic, and better on the rest."""
    taught, offered, axis = equals()
    typical = np.arange(60) < 20
    better = np.where(np.isin(axis.record.examples, taught.keys[typical]), 0.3, -0.3).astype(np.float32)
    incumbent = replace(axis, record=replace(axis.record, losses=axis.record.losses + better))
    weights = np.where(typical, 2.7, 0.15).astype(np.float32)
    comparison = compare(axis, incumbent, replace(taught, weights=weights), offered)
    assert comparison.wins
    assert comparison.weighted
    assert comparison.items == 60
    assert comparison.gain == pytest.approx(0.24, abs=0.001)
    assert not compare(axis, incumbent, replace(taught, weights=weights[::-1]), offered).wins


def test_uneven_weights_make_a_comparison_less_certain() -> None:
    """The gain is the same on all examples but for noise; six of them represent nearly all traffic."""
    taught, offered, axis = equals()
    noise = np.random.default_rng(1).normal(0.3, 0.3, 60).astype(np.float32)
    incumbent = replace(axis, record=replace(axis.record, losses=axis.record.losses + noise))
    alike = compare(axis, incumbent, taught, offered)
    assert alike.wins
    assert not alike.weighted
    losing = replace(axis, record=replace(axis.record, losses=axis.record.losses + noise - 0.28))
    weights = np.where(np.arange(60) < 6, 9.1, 0.1).astype(np.float32)
    assert not compare(axis, losing, replace(taught, weights=weights), offered).wins


def test_copies_of_one_text_do_not_make_a_candidate_win() -> None:
    """It is better on forty copies of one text, and as good on the others."""
    taught, offered, axis = equals()
    copied = np.arange(60) < 40
    better = np.where(np.isin(axis.record.examples, taught.keys[copied]), 0.3, 0.0).astype(np.float32)
    incumbent = replace(axis, record=replace(axis.record, losses=axis.record.losses + better))
    assert compare(axis, incumbent, taught, offered).wins
    for groups in (np.where(copied, 0, np.arange(60)), np.zeros(60, np.int64)):
        assert not compare(axis, incumbent, replace(taught, groups=groups), offered).wins


def test_a_candidate_may_win_on_the_random_sample() -> None:
    """It is worse on examples chosen for being unusual, and better on the others."""
    taught, offered, axis = equals()
    random_sample = np.arange(60) < 20
    better = np.where(np.isin(axis.record.examples, taught.keys[random_sample]), 0.3, -0.3).astype(np.float32)
    incumbent = replace(axis, record=replace(axis.record, losses=axis.record.losses + better))
    assert not compare(axis, incumbent, taught, offered).wins
    comparison = compare(axis, incumbent, replace(taught, random_sample=random_sample), offered)
    assert comparison.wins
    assert comparison.random_sample
    assert comparison.items == 20
