"""Scorer weights stay near the built-in ones with few labels and reach the truth with many."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.scoring.scorer import (
    BUILT_IN,
    OFFSET_PRECISION,
    PRECISION,
    WIDTH,
    JudgedAnswers,
    ScorerWeights,
    fit,
    log_loss,
)
from classifier.scoring.signals import AxisSignals, Floats, Signals, features
from tests.classifier.scoring.test_signals import SIGNALS

pytestmark = pytest.mark.once

TRUTH = ScorerWeights(
    category=np.array([0.9, 0.2, 0.4, 1.0, 0.0, 0.0, 0.3, 1.5, -0.4, -0.5, 0.6, -0.3]),
    sentiment=np.array([0.1, 0.0, 0.6, 0.5, 0.5, 0.0, 0.2, 0.0, 0.3, -1.5, 0.0, 0.8]),
    offsets={1: 1.5, 2: -1.5, 3: 0.0},
    both=np.array([1.0, 0.0]),
)


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def answers(number: int, seed: int = 0) -> list[Signals]:
    random = np.random.default_rng(seed)

    def axis(good: bool) -> AxisSignals:
        agrees, words_agree = (bool(share < (0.9 if good else 0.4)) for share in random.random(2))
        return AxisSignals(
            agrees, words_agree, random.random() ** 0.5, float(random.uniform(-0.5, 1)), -float(random.exponential())
        )

    return [
        Signals(
            confidence=float(random.random() ** 0.3),
            category=axis(first < 0.8),
            sentiment=axis(second < 0.8),
            closeness=float(random.uniform(0, 1)),
            length=int(random.integers(20, 3_000)),
            foreign=bool(random.random() < 0.1),
            in_front=bool(random.random() < 0.2),
        )
        for first, second in random.random((number, 2))
    ]


def judged(number: int, seed: int = 0, truth: ScorerWeights = TRUTH) -> JudgedAnswers:
    """Answers that are right as often as the true weights say, each part independently."""
    signals, random = answers(number, seed), np.random.default_rng(seed + 1_000)
    categories = [int(category) for category in random.integers(1, 4, number)]
    scores = [truth.probabilities(*answer) for answer in zip(signals, categories, strict=True)]
    luck = random.random((number, 2))
    return JudgedAnswers(
        signals=signals,
        categories=categories,
        category_right=[bool(own < score.category) for own, score in zip(luck[:, 0], scores, strict=True)],
        sentiment_right=[bool(own < score.sentiment) for own, score in zip(luck[:, 1], scores, strict=True)],
    )


def with_all(signals: Sequence[Signals], right: Sequence[bool]) -> JudgedAnswers:
    return JudgedAnswers(signals=signals, categories=[1] * len(signals), category_right=right, sentiment_right=right)


def off(first: Floats, second: Floats) -> float:
    return float(np.abs(first - second).max())


MANY = judged(6_000)
OF_MANY = fit(MANY)


# Number of answers


def test_without_answers_the_built_in_weights_are_used() -> None:
    weights = fit(JudgedAnswers(signals=[], categories=[], category_right=[], sentiment_right=[]))
    assert weights.as_json() == ScorerWeights.built_in().as_json()


@pytest.mark.parametrize("seed", range(3))
def test_few_answers_stay_near_the_built_in_weights_and_many_lead_away(seed: int) -> None:
    """Except for the constant, which is shrunk less."""
    these = judged(2_000, seed)
    few, many = (off(fit(these.part(range(number))).category[:-1], BUILT_IN[:-1]) for number in (1, 2_000))
    assert few < 0.6
    assert many > 0.7


def test_fitting_recovers_the_built_in_weights_where_they_are_true() -> None:
    weights = fit(judged(6_000, truth=ScorerWeights.built_in()))
    assert off(weights.category[:-1], BUILT_IN[:-1]) < 0.35
    assert max(map(abs, weights.offsets.values())) < 0.35


def test_many_answers_recover_the_true_weights() -> None:
    assert off(OF_MANY.category[:-1], TRUTH.category[:-1]) < 0.35
    assert off(OF_MANY.sentiment[:-1], TRUTH.sentiment[:-1]) < 0.35
    unseen = answers(400, seed=9)
    fitted, true = (
        np.array([weights.probabilities(signals, number % 3 + 1) for number, signals in enumerate(unseen)])
        for weights in (OF_MANY, TRUTH)
    )
    assert np.abs(fitted - true).mean() < 0.02
    built_in = np.array(
        [ScorerWeights.built_in().probabilities(signals, number % 3 + 1) for number, signals in enumerate(unseen)]
    )
    assert np.abs(built_in - true).mean() > 0.08


def test_more_answers_come_nearer_to_the_true_weights() -> None:
    unseen = judged(1_500, seed=20)
    losses = [log_loss(fit(MANY.part(range(number))), unseen).mean() for number in (0, 150, 6_000)]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < log_loss(TRUTH, unseen).mean() + 0.005


def test_scores_are_calibrated() -> None:
    """Also for both parts together, if they are wrong together."""
    together = replace(MANY, sentiment_right=MANY.category_right)
    for these in (MANY, together):
        weights = fit(these)
        scores = np.array(
            [weights.probabilities(*answer) for answer in zip(these.signals, these.categories, strict=True)]
        )
        true = np.array([these.category_right, these.sentiment_right, these.both_right]).T
        assert np.abs(scores.mean(axis=0) - true.mean(axis=0)).max() < 0.01
        sure = scores[:, 2] > np.median(scores[:, 2])
        assert scores[sure, 2].mean() == pytest.approx(true[sure, 2].mean(), abs=0.03)


@pytest.mark.parametrize("number", [1, 40, 1_000])
def test_the_fit_is_a_local_optimum(number: int) -> None:
    """The penalised likelihood is computed here from its definition."""
    these = MANY.part(range(number))
    rows = np.array([[*features(signals, signals.category), 1.0] for signals in these.signals])
    own = np.array([[category == key for key in (1, 2, 3)] for category in these.categories], float)
    wanted, random = np.array(these.category_right), np.random.default_rng(1)

    def penalised(weights: Floats, offsets: Floats) -> float:
        scores = rows @ weights + own @ offsets
        loss = np.logaddexp(0, np.where(wanted, -scores, scores)).sum()
        pulled = (PRECISION * (weights - BUILT_IN) ** 2).sum() + OFFSET_PRECISION * (offsets**2).sum()
        return float(loss + pulled / 2)

    weights = fit(these)
    offsets = np.array([weights.offsets.get(key, 0.0) for key in (1, 2, 3)])
    best = penalised(weights.category, offsets)
    assert best < penalised(BUILT_IN, np.zeros(3))
    for _try in range(200):
        step = random.normal(size=WIDTH + 3) * 10 ** random.uniform(-4, 0)
        assert penalised(weights.category + step[:WIDTH], offsets + step[WIDTH:]) > best


def test_the_order_of_labels_does_not_matter() -> None:
    these = MANY.part(range(300))
    forwards, backwards = fit(these), fit(these.part(list(reversed(range(300)))))
    assert off(forwards.category, backwards.category) < 1e-6
    assert off(forwards.sentiment, backwards.sentiment) < 1e-6
    assert off(forwards.both, backwards.both) < 1e-6


# Categories


def test_each_category_has_an_offset_of_its_own() -> None:
    apart = OF_MANY.offsets[1] - OF_MANY.offsets[2]
    assert apart == pytest.approx(3, abs=0.5)
    assert OF_MANY.offsets[2] < OF_MANY.offsets[3] < OF_MANY.offsets[1]


def test_offsets_with_few_answers_shrink_to_zero() -> None:
    """One category is always wrong; the built-in weights suit the other two."""
    usual = judged(600, truth=ScorerWeights.built_in())
    sizes = []
    for number in (1, 5, 50):
        odd = judged(number, seed=3)
        mixed = JudgedAnswers(
            signals=[*usual.signals, *odd.signals],
            categories=[*usual.categories, *[7] * number],
            category_right=[*usual.category_right, *[False] * number],
            sentiment_right=[*usual.sentiment_right, *odd.sentiment_right],
        )
        sizes.append(fit(mixed).offsets[7])
    assert sizes == sorted(sizes, reverse=True)
    assert -0.3 < sizes[0] < 0
    assert sizes[2] < -1.5


def test_a_category_without_answers_has_no_offset() -> None:
    signals = MANY.signals[0]
    own = sigmoid(float(features(signals, signals.category) @ OF_MANY.category[:-1] + OF_MANY.category[-1]))
    assert OF_MANY.probabilities(signals, 99).category == pytest.approx(own)
    assert OF_MANY.probabilities(signals, 1).category > own > OF_MANY.probabilities(signals, 2).category


# Probabilities


@given(SIGNALS, st.sampled_from([1, 2, 99]), st.sampled_from([ScorerWeights.built_in(), TRUTH, OF_MANY]))
def test_probabilities_are_strictly_between_zero_and_one(
    signals: Signals, category: int, weights: ScorerWeights
) -> None:
    for share in weights.probabilities(signals, category):
        assert 0 < share < 1


@given(SIGNALS)
def test_agreement_raises_the_score_and_disagreement_lowers_it(signals: Signals) -> None:
    for weights in (ScorerWeights.built_in(), OF_MANY):
        for name in ("agrees", "words_agree"):
            votes: list[dict[str, Any]] = [{"own": True, name: vote} for vote in (False, None, True)]
            scores = [
                weights.probabilities(signals._replace(category=signals.category._replace(**vote)), 1) for vote in votes
            ]
            for part in ("category", "both"):
                shares = [getattr(score, part) for score in scores]
                assert shares == sorted(shares)
                assert shares[0] < shares[2]
            assert len({score.sentiment for score in scores}) == 1


def test_a_score_is_the_sigmoid_of_the_weighted_sum() -> None:
    signals = Signals(
        0.9, category=AxisSignals(agrees=True, margin=0.5), sentiment=AxisSignals(agrees=False), foreign=True
    )
    score = ScorerWeights.built_in().probabilities(signals, 5)
    confident = 0.7 * math.log(9)
    assert score.category == pytest.approx(sigmoid(0.3 + 2.0 * 0.5 + confident - 1.0 + 0.5))
    assert score.sentiment == pytest.approx(sigmoid(-0.3 + confident - 1.0 + 0.5))
    assert score.both == pytest.approx(score.category * score.sentiment)


# Hostile data


@pytest.mark.parametrize("number", [1, 30, 3_000])
@pytest.mark.parametrize("right", ["all", "none", "as the specialist says", "against the specialist"])
def test_separable_answers_give_finite_weights(number: int, right: str) -> None:
    signals = answers(number, seed=4)
    outcomes = {
        "all": [True] * number,
        "none": [False] * number,
        "as the specialist says": [bool(answer.category.agrees) for answer in signals],
        "against the specialist": [not answer.category.agrees for answer in signals],
    }[right]
    weights = fit(with_all(signals, outcomes))
    for row in (weights.category, weights.sentiment, weights.both):
        assert np.abs(row).max() < 12
    scores = np.array([weights.probabilities(answer, 1).category for answer in signals])
    # One label hardly changes the weights, thirty do, and thousands decide.
    assert np.abs(scores - outcomes).mean() < {1: 0.85, 30: 0.4, 3_000: 0.05}[number]


@given(st.lists(st.tuples(SIGNALS, st.integers(0, 3), st.booleans(), st.booleans()), max_size=15))
def test_weights_are_finite_for_any_answers(rows: list[tuple[Signals, int, bool, bool]]) -> None:
    signals, categories, right, other = (
        (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    )
    weights = fit(JudgedAnswers(signals=signals, categories=categories, category_right=right, sentiment_right=other))
    assert set(weights.offsets) == set(categories)
    stored = json.loads(json.dumps(weights.as_json(), allow_nan=False))
    assert ScorerWeights.from_json(stored).as_json() == stored


# Log-loss


def test_log_loss_matches_its_definition() -> None:
    these = MANY.part(range(50))
    scores = [TRUTH.probabilities(*answer).both for answer in zip(these.signals, these.categories, strict=True)]
    losses = [-math.log(share if right else 1 - share) for share, right in zip(scores, these.both_right, strict=True)]
    assert log_loss(TRUTH, these) == pytest.approx(losses)
    assert log_loss(TRUTH, MANY.part([])).shape == (0,)


def test_the_log_loss_of_the_right_label_spreads_what_a_wrong_answer_leaves_over_its_rivals() -> None:
    these = MANY.part(range(50))
    usual, of_labels = log_loss(TRUTH, these, "category"), log_loss(TRUTH, these, "category", rivals=9)
    assert of_labels - usual == pytest.approx([0.0 if right else math.log(9) for right in these.category_right])


def test_the_log_loss_is_bounded() -> None:
    certain = replace(ScorerWeights.built_in(), category=np.full(WIDTH, 99.0), sentiment=np.full(WIDTH, 99.0))
    sure = Signals(1.0, category=AxisSignals(agrees=True), sentiment=AxisSignals(agrees=True))
    wrong, right = with_all([sure], [False]), with_all([sure], [True])
    assert log_loss(certain, wrong) == pytest.approx([-math.log(1e-6)])
    assert log_loss(certain, right) == pytest.approx([0], abs=1e-5)


def test_an_answer_is_right_if_both_labels_are() -> None:
    these = JudgedAnswers(
        signals=answers(4),
        categories=[1, 2, 3, 1],
        category_right=[True, True, False, False],
        sentiment_right=[True, False, True, False],
    )
    assert these.both_right == [True, False, False, False]
    assert these.part([3, 0]).both_right == [False, True]
    assert these.part([3, 0]).categories == [1, 1]
    assert len(these.part([1])) == 1


# Storage


def test_scorer_weights_survive_a_round_trip() -> None:
    back = ScorerWeights.from_json(json.loads(json.dumps(OF_MANY.as_json())))
    assert back.as_json() == OF_MANY.as_json()
    assert back.offsets == OF_MANY.offsets
    for number, signals in enumerate(answers(20, seed=6)):
        assert back.probabilities(signals, number % 5) == OF_MANY.probabilities(signals, number % 5)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"category": [0.0] * (WIDTH - 1)},
        {"sentiment": [0.0] * (WIDTH + 1)},
        {"both": [1.0]},
        {"both": 1.0},
        {"both": {}},
        {"both": None},
        {"category": "weights"},
        {"category": [[0.0] * WIDTH]},
        {"category": [math.nan] * WIDTH},
        {"both": [math.inf, 0.0]},
        {"offsets": None},
        {"offsets": [1.0]},
        {"offsets": {"Billing": 1.0}},
        {"offsets": {"1": None}},
        {"offsets": {"1": math.nan}},
    ],
    ids=str,
)
def test_weights_of_another_shape_are_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="fit it again"):
        ScorerWeights.from_json(TRUTH.as_json() | spoilt)


@pytest.mark.parametrize("missing", ["category", "sentiment", "both", "offsets"])
def test_incomplete_weights_are_refused(missing: str) -> None:
    stored = {name: part for name, part in TRUTH.as_json().items() if name != missing}
    with pytest.raises(ValueError, match="fit it again"):
        ScorerWeights.from_json(stored)
