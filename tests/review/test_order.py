"""What an answer is worth: doubt, disagreement, rarity."""

from hypothesis import given
from hypothesis import strategies as st

from review.order import RARE, Signals, drawn, value

signals = st.builds(
    Signals,
    confidence=st.none() | st.floats(0, 1),
    disagreement=st.booleans(),
    waiting_alike=st.integers(0, RARE),
)


@given(signals)
def test_a_value_is_between_0_and_1(one: Signals) -> None:
    assert 0 <= value(one) <= 1


@given(signals, st.floats(0, 1))
def test_the_less_sure_the_model_the_more_an_answer_is_worth(one: Signals, confidence: float) -> None:
    other = one._replace(confidence=confidence)
    if (1.0 if one.confidence is None else 1 - one.confidence) >= 1 - confidence:
        assert value(one) >= value(other)


@given(signals)
def test_models_that_disagree_make_it_worth_more(one: Signals) -> None:
    assert value(one._replace(disagreement=True)) > value(one._replace(disagreement=False))


@given(signals)
def test_a_rare_suggestion_makes_it_worth_more(one: Signals) -> None:
    assert value(one._replace(waiting_alike=0)) > value(one._replace(waiting_alike=RARE))


def test_a_ticket_that_no_model_could_answer_is_as_doubtful_as_can_be() -> None:
    assert value(Signals(None, False, 0)) == value(Signals(0.0, False, 0)) > value(Signals(0.4, False, 0))


def test_a_blind_seat_stands_among_others_that_are_doubtful() -> None:
    assert drawn(0.0) == value(Signals(confidence=1.0, disagreement=False, waiting_alike=RARE))
    assert drawn(0.999) < value(Signals(confidence=0.0, disagreement=False, waiting_alike=RARE))
