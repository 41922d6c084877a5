"""Signals become numbers around zero; missing ones are neutral and extreme ones bounded."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.scoring.signals import (
    AXIS_FEATURES,
    SHARED_FEATURES,
    SURE,
    TYPICAL_LENGTH,
    AxisSignals,
    Signals,
    features,
)

pytestmark = pytest.mark.once

SHARES = st.floats(0, 1)
VOTES = st.none() | st.booleans()
AXES = st.builds(
    AxisSignals,
    agrees=VOTES,
    words_agree=VOTES,
    probability=st.none() | SHARES,
    margin=st.none() | st.floats(-1, 1),
    logprob=st.none() | st.floats(-20, 0),
    own_margin=st.none() | st.floats(-1, 1),
    own=st.booleans(),
)
SIGNALS = st.builds(
    Signals,
    confidence=SHARES,
    category=AXES,
    sentiment=AXES,
    closeness=st.none() | st.floats(-1, 1),
    length=st.integers(0, 10**7),
    foreign=st.booleans(),
    in_front=st.booleans(),
)
NAMES = [*AXIS_FEATURES, *SHARED_FEATURES]
MOST = math.log(SURE / (1 - SURE))


@given(SIGNALS)
def test_signals_survive_a_round_trip(signals: Signals) -> None:
    assert Signals.from_json(json.loads(json.dumps(signals.as_json()))) == signals


@pytest.mark.parametrize("stored", [{}, {"confidence": 0.5}, Signals(0.5).as_json() | {"mood": 1}])
def test_signals_of_another_shape_are_refused(stored: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Signals.from_json(stored)


@given(SIGNALS)
def test_features_are_finite_and_as_many_as_there_are_names(signals: Signals) -> None:
    values = features(signals, signals.category)
    assert values.shape == (len(NAMES),)
    assert np.isfinite(values).all()
    assert (np.abs(values) < 12).all()


def test_unknown_signals_are_neutral() -> None:
    assert features(Signals(0.5), AxisSignals()).tolist() == [0.0] * len(NAMES)


def test_middle_values_are_neutral() -> None:
    signals = Signals(0.5, closeness=0.5, length=TYPICAL_LENGTH)
    middle = AxisSignals(probability=0.5, margin=0.0, logprob=math.log(0.5))
    assert features(signals, middle) == pytest.approx(np.zeros(len(NAMES)))


@pytest.mark.parametrize(
    ("axis", "name"),
    [
        (AxisSignals(agrees=True), "agreement"),
        (AxisSignals(words_agree=True), "agreement of words"),
        (AxisSignals(probability=0.9), "probability"),
        (AxisSignals(margin=0.3), "margin"),
        (AxisSignals(logprob=-0.1), "log-probability"),
        (AxisSignals(own_margin=0.4), "own margin"),
    ],
)
def test_each_signal_of_an_axis_moves_its_own_feature_up(axis: AxisSignals, name: str) -> None:
    values = features(Signals(0.5, sentiment=AxisSignals(False, False, 0.1, -0.3, -9.0)), axis)
    assert [NAMES[place] for place in np.flatnonzero(values)] == [name]
    assert values.max() > 0


@pytest.mark.parametrize(
    ("signals", "name"),
    [
        (Signals(0.9), "confidence"),
        (Signals(0.5, closeness=0.8), "closeness"),
        (Signals(0.5, length=1_000), "length"),
        (Signals(0.5, foreign=True), "foreign"),
        (Signals(0.5, in_front=True), "in front"),
    ],
)
def test_each_signal_of_the_whole_answer_moves_its_own_feature_up(signals: Signals, name: str) -> None:
    values = features(signals, AxisSignals())
    assert [NAMES[place] for place in np.flatnonzero(values)] == [name]
    assert values.max() > 0


@pytest.mark.parametrize("name", ["agrees", "words_agree"])
def test_agreement_and_disagreement_have_equal_weight(name: str) -> None:
    for_it, against = (features(Signals(0.5), AxisSignals(**{name: vote})) for vote in (True, False))
    assert (for_it == -against).all()


@pytest.mark.parametrize(("share", "log_odds"), [(0.0, -MOST), (1.0, MOST), (0.9999, MOST), (0.75, math.log(3))])
def test_extreme_confidences_are_clipped(share: float, log_odds: float) -> None:
    values = features(Signals(share), AxisSignals(probability=share))
    assert values[NAMES.index("confidence")] == pytest.approx(log_odds)
    assert values[NAMES.index("probability")] == pytest.approx(log_odds)


@pytest.mark.parametrize(("logprob", "log_odds"), [(0.0, MOST), (-20.0, -MOST), (-math.inf, -MOST), (-9999.0, -MOST)])
def test_log_probabilities_are_clipped_alike(logprob: float, log_odds: float) -> None:
    values = features(Signals(0.5), AxisSignals(logprob=logprob))
    assert values[NAMES.index("log-probability")] == pytest.approx(log_odds)


def test_the_length_of_an_empty_text_counts_as_one() -> None:
    place = NAMES.index("length")
    none, short, twice = (features(Signals(0.5, length=length), AxisSignals())[place] for length in (0, 1, 400))
    assert none == short == pytest.approx(-math.log(200))
    assert twice == pytest.approx(math.log(2))


def test_what_speaks_for_the_models_own_label_speaks_against_another() -> None:
    own = AxisSignals(agrees=True, logprob=-0.1, own_margin=0.4, probability=0.8)
    for_it, against = (features(Signals(0.9), own._replace(own=given)) for given in (True, False))
    mirrored = ("agreement", "log-probability", "own margin", "confidence")
    assert [NAMES[place] for place in np.flatnonzero(for_it != against)] == list(mirrored)
    assert (for_it == -against)[[NAMES.index(name) for name in mirrored]].all()
