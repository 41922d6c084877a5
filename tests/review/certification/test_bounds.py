"""The estimated error rate, and the fewest audits that can certify, against published figures."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.certification.bounds import estimated_error, min_clean_audits, most_overlooked
from review.certification.sequential_test import DrawBatch, SequentialTest
from review.stats.intervals import Estimate, share

pytestmark = pytest.mark.once

TABLE = [
    (0.03, 0.05, 99),
    (0.03, 0.10, 76),
    (0.05, 0.05, 59),
    (0.05, 0.10, 45),
    (0.02, 0.05, 149),
    (0.02, 0.10, 114),
    (0.01, 0.05, 299),
    (0.01, 0.10, 230),
]
"""Error, risk, and audits without an error below which nothing can be certified."""


def interval(figure: Estimate) -> tuple[float, float]:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


@pytest.mark.parametrize(("error", "risk", "published"), TABLE)
def test_the_fewest_clean_audits_are_those_of_the_table(error: float, risk: float, published: int) -> None:
    assert min_clean_audits(error, risk) == published
    assert (1 - error) ** published <= risk < (1 - error) ** (published - 1)


@pytest.mark.parametrize(("error", "risk", "published"), TABLE)
def test_no_bet_certifies_with_fewer_audits_than_the_table(error: float, risk: float, published: int) -> None:
    needed = SequentialTest.start([0.5], error, risk).clean_audits_to_next()
    assert needed
    assert published <= needed <= 1.4 * published


# The estimate


def batch(*groups: tuple[int, float, float, int, int]) -> DrawBatch:
    """Groups of tickets: how many, their score and share, how many of them were audited and found wrong."""
    rows = [
        (value, of_each, of_each, math.inf, number < audited, number < wrong, False)
        for tickets, value, of_each, audited, wrong in groups
        for number in range(tickets)
    ]
    return DrawBatch.from_rows(rows)


@given(st.integers(1, 200), st.floats(0.05, 1), st.data())
def test_audits_of_equal_probability_count_equally(audits: int, of_each: float, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, audits))
    estimated, plain = estimated_error(batch((audits + 50, 0.9, of_each, audits, wrong)), 0.5), share(wrong, audits)
    assert estimated.n == audits
    assert [estimated.estimate, estimated.low, estimated.high] == pytest.approx([plain.estimate, plain.low, plain.high])


def test_audits_are_weighted_by_the_inverse_of_their_probability() -> None:
    """3 wrong ones where one ticket in ten is audited stand for 30; with 50 where all are that makes 80 of 1100."""
    estimated = estimated_error(batch((1_000, 0.9, 0.1, 100, 3), (100, 0.6, 1.0, 100, 50)), 0.5)
    assert estimated.estimate == pytest.approx(80 / 1_100)
    assert estimated.n == 200
    low, high = interval(estimated)
    assert low < 80 / 1_100 < high
    # Counted plainly it would be far off.
    assert interval(share(53, 200))[0] > 80 / 1_100


def test_unequal_weights_widen_the_interval() -> None:
    unequal = estimated_error(batch((1_000, 0.9, 0.1, 100, 10), (100, 0.6, 1.0, 100, 10)), 0.5)
    equal = share(20, 200)
    assert unequal.estimate == pytest.approx(equal.estimate)
    (low, high), (equal_low, equal_high) = interval(unequal), interval(equal)
    assert low < equal_low < equal_high < high


def test_the_estimate_is_unbiased_over_all_draws() -> None:
    """Exactly, by every way that the lots may fall for ten tickets: what is above it and below it cancels out, each
    weighed by the tickets that the audits stand for.
    """
    shares = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2])
    wrong = np.array([1, 0, 1, 0, 0, 0, 0, 1, 0, 0], bool)
    value, fully_audited, total, off = np.full(10, 0.9), np.full(10, math.inf), 0.0, 0.0
    for lots in product([True, False], repeat=8):
        audited = np.array([True, True, *lots])
        likely = float(np.where(audited, shares, 1 - shares).prod())
        estimated = estimated_error(
            DrawBatch(value, shares, np.full(10, 0.2), fully_audited, audited, wrong, ~audited), 0.5
        ).estimate
        assert estimated is not None
        total += likely
        off += likely * (estimated - 0.3) * float((1 / shares[audited]).sum())
    assert total == pytest.approx(1)
    assert off == pytest.approx(0, abs=1e-9)


def test_only_audited_tickets_at_or_above_the_threshold_count() -> None:
    mixed = batch((100, 0.9, 0.5, 50, 5), (100, 0.3, 0.5, 50, 50))
    assert estimated_error(mixed, 0.9).estimate == pytest.approx(0.1)
    assert estimated_error(mixed, 0.1).estimate == pytest.approx(0.55)
    for threshold in (0.91, math.inf):
        nothing = estimated_error(mixed, threshold)
        assert (nothing.estimate, nothing.low, nothing.high, nothing.n) == (None, None, None, 0)
    assert estimated_error(batch((100, 0.9, 0.5, 0, 0)), 0.5).n == 0


def test_the_most_overlooked_errors_hold_whatever_the_order_however_often_one_looks() -> None:
    """A burst of errors in the middle, and a look after every hundred tickets."""
    luck, wrong = np.random.default_rng(8), np.zeros(3_000, bool)
    wrong[1_000:1_150] = True
    share = np.where(np.arange(3_000) < 2_000, 0.3, 0.15)
    missed = 0
    for _stream in range(400):
        audited = luck.random(3_000) < share
        overlooked = np.cumsum(wrong & ~audited)
        missed += any(
            overlooked[at - 1] > most_overlooked(share[:at], (wrong & audited)[:at], 0.05)
            for at in range(100, 3_001, 100)
        )
    assert missed <= 0.05 * 400 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_the_most_overlooked_errors_are_few_after_many_clean_audits() -> None:
    assert most_overlooked(np.full(5_000, 0.3), np.zeros(5_000, bool), 0.05) < 20
    assert most_overlooked(np.ones(50), np.ones(50, bool), 0.05) == 0
    assert most_overlooked(np.array([]), np.array([], bool), 0.05) == 0
