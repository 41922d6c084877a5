"""The priority of tickets: uncertainty, disagreement, rarity."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from review.workflow.priority import (
    RARE,
    Floats,
    Signals,
    interleave,
    most_informative_first,
    random_value,
    review_value,
)

signals = st.builds(
    Signals,
    confidence=st.none() | st.floats(0, 1),
    disagreement=st.booleans(),
    waiting_in_category=st.integers(0, RARE),
)


@given(signals)
def test_review_value_is_between_0_and_1(ticket: Signals) -> None:
    assert 0 <= review_value(ticket) <= 1


@given(signals, st.floats(0, 1))
def test_low_confidence_raises_the_priority(ticket: Signals, confidence: float) -> None:
    other = ticket._replace(confidence=confidence)
    if (1.0 if ticket.confidence is None else 1 - ticket.confidence) >= 1 - confidence:
        assert review_value(ticket) >= review_value(other)


@given(signals)
def test_disagreement_of_models_raises_the_priority(ticket: Signals) -> None:
    assert review_value(ticket._replace(disagreement=True)) > review_value(ticket._replace(disagreement=False))


@given(signals)
def test_rare_category_raises_the_priority(ticket: Signals) -> None:
    assert review_value(ticket._replace(waiting_in_category=0)) > review_value(
        ticket._replace(waiting_in_category=RARE)
    )


def test_ticket_without_a_prediction_counts_as_most_uncertain() -> None:
    assert (
        review_value(Signals(None, False, 0))
        == review_value(Signals(0.0, False, 0))
        > review_value(Signals(0.4, False, 0))
    )


def test_blind_assignment_is_ranked_among_uncertain_tickets() -> None:
    assert random_value(0.0) == review_value(Signals(confidence=1.0, disagreement=False, waiting_in_category=RARE))
    assert random_value(0.999) < review_value(Signals(confidence=0.0, disagreement=False, waiting_in_category=RARE))


def cloud(count: int, seed: int = 0, width: int = 24) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@given(st.integers(1, 40), st.integers(0, 50), st.integers(0, 99))
def test_ordering_is_a_permutation(count: int, first: int, seed: int) -> None:
    order = most_informative_first(
        cloud(count, seed), np.full(count, 0.5, np.float32), np.zeros(count, np.float32), first
    )
    assert sorted(order) == list(range(count))


def test_uncertain_tickets_come_first() -> None:
    label_issues = np.array([0.1] * 15 + [0.9] + [0.1] * 14, np.float32)
    assert most_informative_first(cloud(30), label_issues, np.zeros(30, np.float32), 30)[0] == 15


def test_near_duplicates_of_labelled_texts_come_last() -> None:
    closeness = np.array([0.0] * 29 + [1.0], np.float32)
    assert most_informative_first(cloud(30), np.full(30, 0.5, np.float32), closeness, 30)[-1] == 29


def test_typical_texts_come_before_outliers() -> None:
    crowd = cloud(1, 1) + 0.2 * cloud(20, 2)
    vectors = np.vstack([crowd, cloud(1, 3)])
    vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    order = most_informative_first(vectors, np.full(21, 0.5, np.float32), np.zeros(21, np.float32), 21)
    assert order[0] != 20


def test_near_duplicates_of_earlier_texts_go_to_the_end() -> None:
    others = cloud(10) + cloud(1, 7)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    vectors = np.vstack([others, np.repeat(others[:1], 5, axis=0)])
    order = most_informative_first(vectors, np.full(15, 0.5, np.float32), np.zeros(15, np.float32), 15)
    copies = {0, 10, 11, 12, 13, 14}
    assert len(copies & set(order[:10])) == 1
    assert set(order[10:]) < copies


@given(st.integers(0, 60), st.integers(0, 60))
def test_interleaving_spreads_both_orders_evenly(ordered: int, other: int) -> None:
    both = interleave(range(ordered), range(100, 100 + other))
    assert [place for place in both if place < 100] == list(range(ordered))
    assert [place for place in both if place >= 100] == list(range(100, 100 + other))
    half = both[: len(both) // 2]
    assert abs(sum(place < 100 for place in half) - ordered / 2) <= 1
