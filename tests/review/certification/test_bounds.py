"""Bounds for one look and closed forms: published figures, definitions by integral and by counting, coverage."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from review.certification.bounds import (
    fewest_clean,
    left_in_batch,
    log_wealth,
    share_wrong,
    upper,
)
from review.certification.sequential_test import Book, Lot
from review.stats.agreement import Estimate, share

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


def binomial(wrong: int, audits: int, rate: float) -> float:
    return math.comb(audits, wrong) * rate**wrong * (1 - rate) ** (audits - wrong)


def interval(figure: Estimate) -> tuple[float, float]:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


# One look


@pytest.mark.parametrize(
    ("wrong", "audits", "published"), [(81, 263, 0.3676), (15, 148, 0.1617), (0, 20, 0.1684), (1, 29, 0.1776)]
)
def test_the_bound_is_that_of_newcombes_table(wrong: int, audits: int, published: float) -> None:
    """Newcombe (1998), table I, method 5: the upper ends of 95% intervals, which leave out 2.5% on either side."""
    assert upper(wrong, audits, 0.025) == pytest.approx(published, abs=0.00006)


@pytest.mark.parametrize("audits", [1, 10, 99, 1_000])
def test_without_an_error_the_bound_has_a_closed_form(audits: int) -> None:
    assert upper(0, audits, 0.05) == pytest.approx(1 - 0.05 ** (1 / audits))


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.01, 0.05, 0.2]))
def test_with_as_many_errors_as_the_bound_says_so_few_are_just_as_improbable_as_the_risk(
    wrong: int, more: int, risk: float
) -> None:
    audits = wrong + more
    bound = upper(wrong, audits, risk)
    assert sum(binomial(few, audits, bound) for few in range(wrong + 1)) == pytest.approx(risk)


@pytest.mark.parametrize(("wrong", "audits"), [(0, 0), (1, 1), (20, 20)])
def test_where_nothing_was_right_everything_may_be_wrong(wrong: int, audits: int) -> None:
    assert upper(wrong, audits, 0.05) == 1


# At any time


@given(st.integers(0, 12), st.integers(0, 200), st.sampled_from([0.01, 0.03, 0.1, 0.5]))
def test_wealth_is_the_mean_of_all_likelihood_ratios(wrong: int, right: int, error: float) -> None:
    def ratio(rate: float) -> float:
        return math.exp(
            wrong * math.log(rate / error) + right * (math.log1p(-rate) - math.log1p(-error)) if rate else 0.0 - right
        )

    total, _inexact = quad(ratio, 1e-12, error, epsabs=0, epsrel=1e-9, limit=200)
    assert log_wealth(wrong, wrong + right, error) == pytest.approx(math.log(total / error), abs=1e-5)


def mean_wealth(audits: int, rate: float, error: float) -> float:
    return sum(
        binomial(wrong, audits, rate) * math.exp(log_wealth(wrong, audits, error)) for wrong in range(audits + 1)
    )


@pytest.mark.parametrize("audits", [0, 1, 7, 60])
@pytest.mark.parametrize("error", [0.01, 0.03, 0.3])
def test_on_average_nothing_is_won_where_the_promise_is_broken(audits: int, error: float) -> None:
    assert mean_wealth(audits, error, error) == pytest.approx(1)
    assert mean_wealth(audits, 1.2 * error, error) <= 1 + 1e-9
    assert mean_wealth(audits, 0.5 * error, error) >= 1 - 1e-9


def test_looking_after_every_audit_is_allowed() -> None:
    """Exactly: the probability that wealth ever suffices, with just as many errors as are promised at most."""
    error, risk, likely, sufficed = 0.1, 0.1, np.array([1.0]), 0.0
    for audits in range(1, 201):
        likely = np.append(likely * (1 - error), 0.0) + np.append(0.0, likely * error)
        there = [
            wrong
            for wrong in range(min(audits, 30) + 1)
            if likely[wrong] and log_wealth(wrong, audits, error) >= math.log(1 / risk)
        ]
        sufficed += float(likely[there].sum())
        likely[there] = 0
    assert risk / 10 < sufficed <= risk


def test_more_errors_are_worth_less_and_more_clean_audits_more() -> None:
    by_errors = [log_wealth(wrong, 300, 0.03) for wrong in range(60)]
    by_audits = [log_wealth(0, audits, 0.03) for audits in range(0, 5_000, 50)]
    assert by_errors == sorted(by_errors, reverse=True)
    assert by_audits == sorted(by_audits)
    assert log_wealth(3_000, 3_000, 0.03) == -math.inf


@pytest.mark.parametrize(("error", "risk", "published"), TABLE)
def test_the_fewest_clean_audits_are_those_of_the_table(error: float, risk: float, published: int) -> None:
    assert fewest_clean(error, risk) == published
    assert (1 - error) ** published <= risk < (1 - error) ** (published - 1)


@pytest.mark.parametrize(("error", "risk", "published"), TABLE)
def test_no_bet_certifies_with_fewer(error: float, risk: float, published: int) -> None:
    assert log_wealth(0, published - 1, error) < math.log(1 / risk)
    needed = Book.opened([0.5], error, risk).clean_audits_needed()
    assert needed
    assert published <= needed <= 1.3 * published


# What is left in a batch


@pytest.mark.parametrize(
    ("tickets", "audits", "wrong", "published"), [(5_000, 200, 1, 0.0228), (500, 99, 0, 0.026), (10, 10, 2, 0.0)]
)
def test_what_may_be_left_is_as_worked_out_elsewhere(tickets: int, audits: int, wrong: int, published: float) -> None:
    assert left_in_batch(tickets, audits, wrong, 0.05) == pytest.approx(published, abs=0.00005)


def at_most(wrong: int, tickets: int, among: int, audits: int) -> float:
    """How probable it is that so few of the wrong ones `among` the tickets are found, by counting."""
    ways = sum(
        math.comb(among, few) * math.comb(tickets - among, audits - few)
        for few in range(min(wrong, audits) + 1)
        if audits - few <= tickets - among
    )
    return ways / math.comb(tickets, audits)


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, int, int]:
    tickets = draw(st.integers(1, 40))
    audits = draw(st.integers(0, tickets))
    return tickets, audits, draw(st.integers(0, audits))


RISKS = st.sampled_from([0.0497, 0.1013, 0.2503])
"""None that a number of ways by another number of ways would be."""


@given(batches(), RISKS)
def test_what_may_be_left_is_the_most_that_is_not_improbable(batch: tuple[int, int, int], risk: float) -> None:
    tickets, audits, wrong = batch
    possible = [
        among for among in range(wrong, tickets - audits + wrong + 1) if at_most(wrong, tickets, among, audits) > risk
    ]
    assert left_in_batch(tickets, audits, wrong, risk) == pytest.approx((max(possible) - wrong) / tickets)


@given(batches(), RISKS)
@settings(max_examples=30)
def test_more_than_that_is_left_seldom_enough(batch: tuple[int, int, int], risk: float) -> None:
    tickets, audits, _wrong = batch
    bounds = [left_in_batch(tickets, audits, wrong, risk) for wrong in range(audits + 1)]
    for among in range(tickets + 1):
        broken = sum(
            math.comb(among, wrong) * math.comb(tickets - among, audits - wrong)
            for wrong in range(min(audits, among) + 1)
            if audits - wrong <= tickets - among and (among - wrong) / tickets > bounds[wrong] + 1e-9
        )
        assert broken / math.comb(tickets, audits) <= risk


def test_of_no_tickets_none_is_left() -> None:
    assert left_in_batch(0, 0, 0, 0.05) == 0
    assert left_in_batch(10, 0, 0, 0.05) == 1


# The estimate


def lot(*groups: tuple[int, float, float, int, int]) -> Lot:
    """Groups of tickets: how many, their score and share, how many of them were audited and found wrong."""
    rows = [
        (value, of_each, of_each, math.inf, number < audited, number < wrong)
        for tickets, value, of_each, audited, wrong in groups
        for number in range(tickets)
    ]
    return Lot.of(rows)


@given(st.integers(1, 200), st.floats(0.05, 1), st.data())
def test_audits_of_one_share_are_counted_plainly(audits: int, of_each: float, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, audits))
    found, plain = share_wrong(lot((audits + 50, 0.9, of_each, audits, wrong)), 0.5), share(wrong, audits)
    assert found.n == audits
    assert [found.estimate, found.low, found.high] == pytest.approx([plain.estimate, plain.low, plain.high])


def test_audits_stand_for_as_many_tickets_as_their_share_says() -> None:
    """3 wrong ones where one ticket in ten is audited stand for 30; with 50 where all are that makes 80 of 1100."""
    found = share_wrong(lot((1_000, 0.9, 0.1, 100, 3), (100, 0.6, 1.0, 100, 50)), 0.5)
    assert found.estimate == pytest.approx(80 / 1_100)
    assert found.n == 200
    low, high = interval(found)
    assert low < 80 / 1_100 < high
    # Counted plainly it would be far off.
    assert interval(share(53, 200))[0] > 80 / 1_100


def test_unequal_audits_tell_less_than_as_many_equal_ones() -> None:
    unequal = share_wrong(lot((1_000, 0.9, 0.1, 100, 10), (100, 0.6, 1.0, 100, 10)), 0.5)
    equal = share(20, 200)
    assert unequal.estimate == pytest.approx(equal.estimate)
    (low, high), (equal_low, equal_high) = interval(unequal), interval(equal)
    assert low < equal_low < equal_high < high


def test_over_all_draws_the_estimate_comes_to_the_truth() -> None:
    """Exactly, by every way that the lots may fall for ten tickets: what is above it and below it cancels out, each
    weighed by the tickets that the audits stand for.
    """
    shares = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2])
    wrong = np.array([1, 0, 1, 0, 0, 0, 0, 1, 0, 0], bool)
    value, shadow, total, off = np.full(10, 0.9), np.full(10, math.inf), 0.0, 0.0
    for lots in product([True, False], repeat=8):
        audited = np.array([True, True, *lots])
        likely = float(np.where(audited, shares, 1 - shares).prod())
        found = share_wrong(Lot(value, shares, np.full(10, 0.2), shadow, audited, wrong), 0.5).estimate
        assert found is not None
        total += likely
        off += likely * (found - 0.3) * float((1 / shares[audited]).sum())
    assert total == pytest.approx(1)
    assert off == pytest.approx(0, abs=1e-9)


def test_only_what_was_audited_and_scores_high_enough_counts() -> None:
    mixed = lot((100, 0.9, 0.5, 50, 5), (100, 0.3, 0.5, 50, 50))
    assert share_wrong(mixed, 0.9).estimate == pytest.approx(0.1)
    assert share_wrong(mixed, 0.1).estimate == pytest.approx(0.55)
    for threshold in (0.91, math.inf):
        nothing = share_wrong(mixed, threshold)
        assert (nothing.estimate, nothing.low, nothing.high, nothing.n) == (None, None, None, 0)
    assert share_wrong(lot((100, 0.9, 0.5, 0, 0)), 0.5).n == 0
