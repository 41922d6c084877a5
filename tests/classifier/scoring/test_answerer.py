"""Whose label counts: the first model's, the specialist's, or the one that both find most probable."""

import numpy as np
import pytest

from classifier.scoring.answerer import Answerer, choose, spread

pytestmark = pytest.mark.once

SURE, UNSURE = np.array([0.05, 0.9, 0.05]), np.array([0.4, 0.35, 0.25])


def test_each_model_alone_gives_its_own_label() -> None:
    assert choose(Answerer.FIRST, spread(2, 0.7, 3), SURE) == (2, 0.7)
    assert choose(Answerer.SPECIALIST, spread(2, 0.7, 3), SURE) == (1, 0.9)


@pytest.mark.parametrize(("specialist", "place"), [(SURE, 1), (UNSURE, 2)])
def test_together_the_surer_model_prevails(specialist: np.ndarray, place: int) -> None:
    assert choose(Answerer.TOGETHER, spread(2, 0.7, 3), specialist).place == place


def test_together_agreement_raises_the_probability() -> None:
    assert choose(Answerer.TOGETHER, spread(1, 0.9, 3), SURE).probability > 0.95


def test_together_a_label_that_neither_puts_first_can_win() -> None:
    assert choose(Answerer.TOGETHER, np.array([0.5, 0.1, 0.4]), np.array([0.1, 0.5, 0.4])).place == 2


def test_a_model_that_is_certain_rules_nothing_out() -> None:
    chosen = choose(Answerer.TOGETHER, spread(0, 1.0, 3), np.array([0.0, 1.0, 0.0]))
    assert chosen.place in (0, 1)
    assert 0 < chosen.probability < 1


def test_what_a_model_leaves_is_spread_evenly_over_the_other_labels() -> None:
    assert spread(1, 0.4, 4) == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert spread(0, 0.4, 1) == pytest.approx([0.4])
