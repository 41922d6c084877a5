"""The bets against a threshold: their mean over everything that can happen, and what they certify."""

import math
from collections.abc import Sequence
from copy import deepcopy
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from review.certification.sequential_test import (
    BETS,
    CHUNK,
    COVERAGES,
    WEIGHTS,
    DrawBatch,
    SequentialTest,
    audit_share,
    risk_for_categories,
    risk_for_claim,
    risk_for_missed_share,
    threshold_grid,
)

pytestmark = pytest.mark.once

Row = tuple[float, float, float, float, bool, bool, bool]

ERRORS = st.sampled_from([0.01, 0.03, 0.1, 0.3, 0.5])
FLOORS = st.sampled_from([0.03, 0.05, 0.3, 1.0])
VALUES = st.sampled_from([0.2, 0.5, 0.6, 0.9, 1.0])
GRID = [0.9, 0.6, 0.5]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    floor = draw(FLOORS)
    share = draw(st.sampled_from([floor, (1 + floor) / 2, 1.0]))
    value, audited, wrong = draw(VALUES), draw(st.booleans()), draw(st.sampled_from([False, False, False, True]))
    fully_audited = draw(st.sampled_from([math.inf, value])) if share == 1.0 else math.inf
    return value, share, floor, fully_audited, audited, wrong, draw(st.sampled_from([False, False, True]))


BATCHES = st.lists(rows(), max_size=40)


def clean(number: int, value: float = 1.0, share: float = 1.0, *, audited: bool = True) -> list[Row]:
    return [(value, share, share, math.inf, audited, False, False)] * number


def wrong(number: int, value: float = 1.0) -> list[Row]:
    return [(value, 1.0, 1.0, math.inf, True, True, False)] * number


def state_after(
    batch: Sequence[Row], *, grid: Sequence[float] = GRID, error: float = 0.03, risk: float = 0.05
) -> SequentialTest:
    test = SequentialTest.start(grid, error, risk)
    test.add(DrawBatch.from_rows(batch))
    return test


def log_wealth(batch: Sequence[Row], threshold: float, error: float) -> float:
    """Wealth by its definition, ticket by ticket and bet by bet. Only wrong audits of repeats count."""
    total = 0.0
    for bet, stake in zip(BETS, WEIGHTS, strict=True):
        wealth = stake
        for value, share, floor, fully_audited, audited, is_wrong, repeat in batch:
            if value >= threshold and (not repeat or (audited and is_wrong)):
                least = 1.0 if threshold >= fully_audited else floor
                outcome = (is_wrong / share if audited else 0.0) - error
                wealth *= 1 - bet / (1 / least - error) * outcome
        total += wealth
    return float(total)


def test_the_initial_wealth_is_one() -> None:
    assert WEIGHTS.sum() == pytest.approx(1)
    assert ((BETS > 0) & (BETS < 1)).all()
    assert SequentialTest.start(GRID, 0.03, 0.05).log_wealth() == pytest.approx(0)


@given(BATCHES, ERRORS)
def test_wealth_is_what_its_definition_says(batch: list[Row], error: float) -> None:
    test = state_after(batch, error=error)
    assert np.exp(test.log_wealth()) == pytest.approx([log_wealth(batch, threshold, error) for threshold in GRID])


@pytest.mark.parametrize(("audits", "errors"), [(10, 0), (150, 0), (400, 3), (400, 30)])
def test_wealth_of_audits_of_one_share_has_a_closed_form(audits: int, errors: int) -> None:
    test = state_after(clean(audits - errors) + wrong(errors))
    most = BETS / (1 / 1.0 - 0.03)
    closed = (WEIGHTS * (1 - most * 0.97) ** errors * (1 + most * 0.03) ** (audits - errors)).sum()
    assert np.exp(test.log_wealth()) == pytest.approx(closed)


# Wealth does not grow on average


class Drawn(NamedTuple):
    """A ticket as it may come out: how probable it is that it scores high enough, and for those that do and are audited
    with one share or another how probable it is that they are wrong.
    """

    counts: float
    floor: float
    shares: tuple[float, float]
    rates: tuple[float, float]


def outcomes(ticket: Drawn) -> list[tuple[float, Row]]:
    """Everything that can happen to it, each with its probability: half of those that count have either share."""
    uncounted: Row = (0.1, 1.0, ticket.floor, math.inf, True, True, False)
    rows_by_chance: list[tuple[float, Row]] = [(1 - ticket.counts, uncounted)]
    for share, rate in zip(ticket.shares, ticket.rates, strict=True):
        likely = ticket.counts / 2
        rows_by_chance += [
            (likely * share * rate, (0.7, share, ticket.floor, math.inf, True, True, False)),
            (likely * share * (1 - rate), (0.7, share, ticket.floor, math.inf, True, False, False)),
            (likely * (1 - share) * rate, (0.7, share, ticket.floor, math.inf, False, True, False)),
            (likely * (1 - share) * (1 - rate), (0.7, share, ticket.floor, math.inf, False, False, False)),
        ]
    return [(likely, row) for likely, row in rows_by_chance if likely > 0]


def mean_wealth(tickets: Sequence[Drawn], error: float) -> float:
    total = mean = 0.0
    for path in product(*map(outcomes, tickets)):
        likely = math.prod(likely for likely, _row in path)
        test = state_after([row for _likely, row in path], grid=[0.5], error=error)
        total += likely
        mean += likely * math.exp(test.log_wealth()[0])
    assert total == pytest.approx(1)
    return mean


@st.composite
def drawn(draw: st.DrawFn, error: float, above: st.SearchStrategy[float]) -> Drawn:
    """Wrong with the share `error` plus `above` on average, though not alike under either share."""
    floor = draw(FLOORS)
    shares = draw(st.sampled_from([(floor, floor), (floor, 1.0), ((1 + floor) / 2, floor)]))
    mean = min(error + draw(above), 1.0)
    apart = draw(st.floats(0, 1)) * min(mean, 1 - mean)
    return Drawn(draw(st.sampled_from([1.0, 0.6])), floor, shares, (mean + apart, mean - apart))


@given(st.data(), ERRORS)
@settings(max_examples=25)
def test_wealth_stays_one_on_average_at_the_error_limit(data: st.DataObject, error: float) -> None:
    tickets = data.draw(st.lists(drawn(error, st.just(0.0)), min_size=1, max_size=2))
    assert mean_wealth(tickets, error) == pytest.approx(1, abs=1e-9)


@given(st.data(), ERRORS)
@settings(max_examples=25)
def test_wealth_does_not_grow_on_average_beyond_the_error_limit(data: st.DataObject, error: float) -> None:
    tickets = data.draw(st.lists(drawn(error, st.floats(0, 1)), min_size=1, max_size=2))
    assert mean_wealth(tickets, error) <= 1 + 1e-9


@pytest.mark.parametrize("error", [0.01, 0.03, 0.3])
def test_wealth_grows_on_average_below_the_error_limit(error: float) -> None:
    assert mean_wealth([Drawn(1.0, 0.3, (0.3, 1.0), (error / 3, error / 3))] * 2, error) > 1.0001


@pytest.mark.parametrize(("floor", "error"), [(0.05, 0.03), (0.3, 0.2), (1.0, 0.03)])
def test_audit_probabilities_that_depend_on_findings_gain_nothing(floor: float, error: float) -> None:
    """The next ticket is audited more often after an error, and less often after none."""
    mean = 0.0

    def go(path: list[Row], likely: float, left: int) -> None:
        nonlocal mean
        if not left:
            mean += likely * math.exp(state_after(path, grid=[0.5], error=error).log_wealth()[0])
            return
        share = 1.0 if path and path[-1][4] and path[-1][5] else floor
        # What is put down as the least follows as well.
        for audited, is_wrong in product([True, False], repeat=2):
            chance = (share if audited else 1 - share) * (error if is_wrong else 1 - error)
            if chance:
                go([*path, (0.7, share, share, math.inf, audited, is_wrong, False)], likely * chance, left - 1)

    go([], 1.0, 4)
    assert mean == pytest.approx(1, abs=1e-9)


def test_wealth_stays_one_on_average_with_fully_audited_thresholds() -> None:
    """From 0.5 on all were audited, below with the floor: a threshold at 0.5 may bet more, one at 0.3 may not."""
    error, floor, mean = 0.1, 0.2, np.zeros(2)
    ticket_outcomes: list[tuple[float, Row]] = [
        (0.5 * error, (0.7, 1.0, floor, 0.5, True, True, False)),
        (0.5 * (1 - error), (0.7, 1.0, floor, 0.5, True, False, False)),
        (0.5 * floor * error, (0.4, floor, floor, 0.5, True, True, False)),
        (0.5 * floor * (1 - error), (0.4, floor, floor, 0.5, True, False, False)),
        (0.5 * (1 - floor), (0.4, floor, floor, 0.5, False, False, False)),
    ]
    for path in product(ticket_outcomes, repeat=3):
        test = state_after([row for _likely, row in path], grid=[0.5, 0.3], error=error)
        mean += math.prod(likely for likely, _row in path) * np.exp(test.log_wealth())
    assert mean == pytest.approx(1)


def test_fully_audited_thresholds_gain_more() -> None:
    lit = [(0.7, 1.0, 0.05, math.inf, True, False, False)] * 100
    shadowed = [(0.7, 1.0, 0.05, 0.6, True, False, False)] * 100
    strict, lax = state_after(shadowed, grid=[0.6, 0.5]).log_wealth()
    assert state_after(lit, grid=[0.6, 0.5]).log_wealth() == pytest.approx([lax, lax])
    assert strict > 10 * lax
    assert strict == pytest.approx(state_after(clean(100), grid=[0.6]).log_wealth()[0])


def ever_certified(error: float, risk: float, *, truly: float, audits: int = 1_500) -> float:
    """How probable that is where the share `truly` is wrong, exactly, by the number of errors after each audit: those
    that sufficed at any time are put aside.
    """
    gains, losses = np.log1p(BETS * error / (1 - error)), np.log1p(-BETS)
    likely, sufficed = np.array([1.0]), 0.0
    for number in range(1, audits + 1):
        likely = np.append(likely * (1 - truly), 0.0) + np.append(0.0, likely * truly)
        errors = np.arange(number + 1)[:, None]
        with np.errstate(over="ignore"):
            wealth = (WEIGHTS * np.exp(errors * losses + (number - errors) * gains)).sum(axis=1)
        there = wealth >= 1 / risk
        sufficed += float(likely[there].sum())
        likely[there] = 0
    return sufficed


@pytest.mark.parametrize(("error", "risk"), [(0.03, 0.05), (0.1, 0.05), (0.03, 0.2), (0.5, 0.01)])
def test_false_certificates_are_rare_enough_when_checked_after_every_audit(error: float, risk: float) -> None:
    assert risk / 20 < ever_certified(error, risk, truly=error) <= risk


# Invariances


def same(first: SequentialTest, second: SequentialTest) -> None:
    np.testing.assert_allclose(first.wealth, second.wealth, atol=1e-9)
    assert first.reached.tolist() == second.reached.tolist()


@given(BATCHES, st.integers(0, 40))
def test_draws_added_in_parts_equal_draws_added_at_once(batch: list[Row], cut: int) -> None:
    test = state_after(batch[:cut], error=0.3, risk=0.4)
    test.add(DrawBatch.from_rows(batch[cut:]))
    same(test, state_after(batch, error=0.3, risk=0.4))


def test_many_draws_added_in_parts_equal_draws_added_at_once() -> None:
    random = np.random.default_rng(5)
    batch: list[Row] = [
        (float(value), 0.3, 0.3, math.inf, bool(value * 1e3 % 1 < 0.3), bool(value * 1e5 % 1 < 0.005), False)
        for value in random.random(2 * CHUNK + 100)
    ]
    parts = SequentialTest.start(GRID, 0.02, 0.05)
    for start in range(0, len(batch), 701):
        parts.add(DrawBatch.from_rows(batch[start : start + 701]))
    same(parts, state_after(batch, error=0.02))
    assert parts.certified == 3


@given(BATCHES, st.randoms())
def test_the_final_wealth_does_not_depend_on_the_order(batch: list[Row], random: object) -> None:
    mixed = list(batch)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    np.testing.assert_allclose(state_after(mixed).wealth, state_after(batch).wealth, atol=1e-9)


@given(BATCHES, ERRORS)
def test_wealth_is_never_above_wealth_under_a_larger_error_limit(batch: list[Row], error: float) -> None:
    strict, lax = state_after(batch, error=error), state_after(batch, error=error * 1.2)
    assert (strict.wealth <= lax.wealth + 1e-9).all()


@given(BATCHES, BATCHES)
def test_tickets_below_a_threshold_do_not_count_for_it(batch: list[Row], other: list[Row]) -> None:
    strict = [row for row in batch if row[0] >= 0.9]
    mixed = strict + [row for row in other if row[0] < 0.9]
    assert state_after(mixed).log_wealth()[0] == pytest.approx(state_after(strict).log_wealth()[0])


@given(BATCHES)
def test_the_label_of_an_unaudited_ticket_is_ignored(batch: list[Row]) -> None:
    turned = [(*row[:5], row[5] if row[4] else not row[5], row[6]) for row in batch]
    same(state_after(turned), state_after(batch))


def test_equal_scores_stay_together() -> None:
    below = math.nextafter(0.9, 0)
    test = state_after(clean(10, 0.9) + clean(10, below), grid=[0.9, below])
    strict, lax = test.log_wealth()
    assert strict == pytest.approx(state_after(clean(10), grid=[0.9]).log_wealth()[0])
    assert lax == pytest.approx(state_after(clean(20), grid=[0.9]).log_wealth()[0])


def test_wealth_stays_finite() -> None:
    rich, poor = state_after(clean(60_000)), state_after(wrong(3_000))
    assert np.isfinite([*rich.log_wealth(), *poor.log_wealth()]).all()
    assert (rich.log_wealth() > 1_000).all()
    assert (poor.log_wealth() < -400).all()


def test_carried_audits_count_with_probability_one() -> None:
    audits = [(0.2, False, False), (0.6, True, True), (0.9, False, True), (1.0, False, False)]
    carried = SequentialTest.start(GRID, 0.03, 0.05)
    carried.add(DrawBatch.carried(audits))
    same(carried, state_after([(value, 1.0, 1.0, math.inf, True, wrong, again) for value, wrong, again in audits]))


def test_batches_have_columns() -> None:
    first, second = (0.9, 0.3, 0.05, math.inf, True, False, False), (0.2, 1.0, 0.3, 0.1, False, True, True)
    batch = DrawBatch.from_rows([first, second])
    assert batch.value.tolist() == [0.9, 0.2]
    assert batch.share.tolist() == [0.3, 1.0]
    assert batch.floor.tolist() == [0.05, 0.3]
    assert batch.fully_audited.tolist() == [math.inf, 0.1]
    assert batch.audited.tolist() == [True, False]
    assert batch.wrong.tolist() == [False, True]
    assert batch.repeat.tolist() == [False, True]
    assert [len(column) for column in DrawBatch.from_rows([])] == [0] * 7


@pytest.mark.parametrize("batch", [DrawBatch.from_rows([]), DrawBatch.from_rows(clean(5, 0.1))])
def test_without_evidence_nothing_is_certified(batch: DrawBatch) -> None:
    test = SequentialTest.start(GRID, 0.03, 0.05)
    test.add(batch)
    assert test.log_wealth() == pytest.approx(0)
    assert test.certified == 0
    assert test.threshold is None


# What is certified


def test_enough_clean_audits_certify_from_strict_to_lax() -> None:
    assert state_after(clean(100)).threshold is None
    assert state_after(wrong(9, 0.6) + clean(160, 0.9)).threshold == 0.9
    assert state_after(wrong(9, 0.5) + clean(160, 0.9)).threshold == 0.6
    assert state_after(clean(160)).threshold == 0.5


def test_a_later_threshold_waits_for_an_earlier_one() -> None:
    test = state_after(clean(400, 0.6))
    assert test.reached.tolist() == [False, True, True]
    assert test.certified == 0
    assert test.threshold is None
    test.add(DrawBatch.from_rows(clean(150, 0.9)))
    assert test.certified == 3


@given(BATCHES)
def test_no_threshold_is_certified_before_a_stricter_one(batch: list[Row]) -> None:
    test = state_after(batch, error=0.5, risk=0.5)
    assert test.reached[: test.certified].all()
    assert test.certified == 3 or not test.reached[test.certified]


@given(BATCHES, BATCHES)
def test_certified_thresholds_stay_certified(batch: list[Row], more: list[Row]) -> None:
    test = state_after(batch, error=0.5, risk=0.5)
    before, reached = test.certified, test.reached.copy()
    test.add(DrawBatch.from_rows(more))
    assert test.certified >= before
    assert test.reached[reached].all()


@given(BATCHES, st.data())
def test_pending_audits_never_help(batch: list[Row], data: st.DataObject) -> None:
    """An unanswered audit counts as wrong."""
    batch = batch + clean(10)
    settled = [(*row[:5], row[5] and data.draw(st.booleans()), row[6]) for row in batch]
    pending, answered = (state_after(evidence, error=0.5, risk=0.5) for evidence in (batch, settled))
    assert (pending.log_wealth() <= answered.log_wealth() + 1e-9).all()
    assert pending.certified <= answered.certified
    assert answered.reached[pending.reached].all()


def test_a_smaller_risk_takes_more_audits() -> None:
    needed = [SequentialTest.start(GRID, 0.03, risk).clean_audits_to_next() for risk in (0.2, 0.05, 0.01)]
    assert needed == sorted(needed, key=lambda audits: audits or 0)
    assert len(set(needed)) == 3


# How many are still needed


@given(BATCHES, st.sampled_from([0.05, 0.1, 0.3]))
def test_the_clean_audits_needed_certify_the_next_threshold_and_one_fewer_do_not(
    batch: list[Row], error: float
) -> None:
    test = state_after(batch, error=error)
    needed = test.clean_audits_to_next()
    assume(needed is not None)
    assert needed
    too_few, enough = deepcopy(test), deepcopy(test)
    too_few.add(DrawBatch.from_rows(clean(needed - 1)))
    enough.add(DrawBatch.from_rows(clean(needed)))
    assert too_few.certified == test.certified
    assert enough.certified > test.certified


@given(BATCHES)
@settings(max_examples=30)
def test_the_clean_audits_needed_at_one_in_twenty_certify_and_one_fewer_do_not(batch: list[Row]) -> None:
    test = state_after(batch, error=0.1)
    needed = test.clean_audits_to_next(0.05)
    assume(needed is not None)
    assert needed
    of_twenty = clean(1, 1.0, 0.05) + clean(19, 1.0, 0.05, audited=False)
    too_few, enough = deepcopy(test), deepcopy(test)
    too_few.add(DrawBatch.from_rows(of_twenty * (needed - 1)))
    enough.add(DrawBatch.from_rows(of_twenty * needed))
    assert too_few.certified == test.certified
    assert enough.certified > test.certified


@pytest.mark.parametrize(("floor", "audits"), [(1.0, 126), (0.3, 128), (0.05, 128)])
def test_the_first_certificate_of_97_percent_takes_about_130_clean_audits(floor: float, audits: int) -> None:
    assert SequentialTest.start(GRID, 0.03, 0.05).clean_audits_to_next(floor) == audits


@pytest.mark.parametrize("floor", [0.05, 0.07, 0.1, 0.29, 0.57])
def test_whole_numbers_of_audits_are_not_rounded_up(floor: float) -> None:
    """An audit in so many tickets of a hundred: what takes a multiple of a hundred takes that many audits."""
    gain = np.log1p(BETS * 0.03 / (1 / floor - 0.03))
    wealth = np.cumsum(np.ones(6_000))[:, None] * gain
    for tickets in (100, 200, 700):
        risk = 1 / float((WEIGHTS * np.exp(wealth[tickets - 1] - 1e-9)).sum())
        assert (
            SequentialTest.start([0.5], 0.03, risk).clean_audits_to_next(floor) == tickets * round(floor * 100) // 100
        )


def test_the_audits_needed_are_unknown_if_too_many_or_if_all_is_certified() -> None:
    fresh = SequentialTest.start(GRID, 0.03, 0.05)
    assert fresh.clean_audits_to_next(most=126) == 126
    assert fresh.clean_audits_to_next(most=125) is None
    assert state_after(wrong(200)).clean_audits_to_next() is None
    assert state_after(clean(300)).clean_audits_to_next() is None


# The grid, shares and risks


@given(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99]) | st.floats(0, 1), min_size=1, max_size=200))
def test_a_grid_goes_from_strict_to_lax_over_scores_that_were_seen(values: list[float]) -> None:
    grid, coverage = threshold_grid(values)
    assert set(grid) <= set(values)
    assert grid == sorted(set(grid), reverse=True)
    assert coverage == [sum(value >= threshold for value in values) / len(values) for threshold in grid]
    # The strictest lets as much pass as was wanted of it, but for less than one ticket.
    assert coverage[0] > COVERAGES[0] - 1 / len(values)


def test_a_grid_has_a_threshold_for_each_share_where_no_scores_are_equal() -> None:
    grid, coverage = threshold_grid([number / 1_000 for number in range(1_000)])
    assert len(grid) == len(COVERAGES)
    assert coverage == pytest.approx(COVERAGES, abs=0.0015)


def test_between_two_scores_the_stricter_is_the_threshold() -> None:
    grid, coverage = threshold_grid([number / 10 for number in range(11)])
    assert grid == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1])
    assert coverage == pytest.approx([6 / 11, 7 / 11, 8 / 11, 9 / 11, 10 / 11])


def test_scores_that_are_equal_make_one_threshold() -> None:
    assert threshold_grid([0.5] * 100) == ([0.5], [1.0])
    assert threshold_grid([0.9] * 95 + [0.2] * 5) == ([0.9, 0.2], [0.95, 1.0])
    assert threshold_grid([0.9] * 50 + [0.2] * 50) == ([0.9, 0.2], [0.5, 1.0])


def test_much_is_audited_at_first_and_less_later() -> None:
    shares = [audit_share(tickets, 0.3, 0.05) for tickets in (0, 1_999, 2_000, 4_999, 5_000, 10**6)]
    assert shares == [0.3, 0.3, 0.15, 0.15, 0.05, 0.05]
    assert audit_share(3_000, 0.3, 0.2) == 0.2


@given(st.floats(0.001, 0.5), st.integers(1, 2_000))
def test_all_claims_together_never_spend_more_than_the_risk(risk: float, claims: int) -> None:
    spent = risk_for_missed_share(risk)
    spent += sum(risk_for_claim(risk, earlier) + risk_for_categories(risk, earlier) for earlier in range(claims))
    assert 0.6 * risk < spent < risk


def test_a_burst_counts_once() -> None:
    """Twenty clean audits of one outage are one; every error in it counts."""
    burst = clean(1) + [(*clean(1)[0][:6], True)] * 19
    same(state_after(burst), state_after(clean(1)))
    spoiled = [*burst, (*wrong(1)[0][:6], True)]
    same(state_after(spoiled), state_after(clean(1) + wrong(1)))


# In the worst case


STREAMS, LENGTH = 300, 2_500


def streams(rate: float) -> list[SequentialTest]:
    """Tickets of any score, each wrong with this probability; the share of audits falls as it does, and until half of
    them have come everything is audited that scores more than the third threshold asks for.
    """
    random, grid, progress = np.random.default_rng(20), [0.6, 0.5, 0.4, 0.2], []
    floor = np.where(np.arange(LENGTH) < 1_500, 0.3, 0.05)
    fully_audited = np.where(np.arange(LENGTH) < LENGTH // 2, grid[2], math.inf)
    for _stream in range(STREAMS):
        value, lots, luck = random.random((3, LENGTH))
        share = np.where(value >= fully_audited, 1.0, floor)
        test = SequentialTest.start(grid, 0.03, 0.05)
        test.add(DrawBatch(value, share, floor, fully_audited, lots < share, luck < rate, np.zeros(LENGTH, bool)))
        progress.append(test)
    return progress


def test_an_error_rate_just_beyond_the_limit_is_rarely_certified() -> None:
    """Whether it ever sufficed, looking after every ticket."""
    false = sum(test.certified > 0 for test in streams(0.0302)) / STREAMS
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STREAMS)


def test_an_error_rate_far_below_the_limit_is_nearly_always_certified() -> None:
    progress = streams(0.003)
    assert sum(test.certified > 0 for test in progress) > 0.99 * STREAMS
    assert sum(test.certified == 4 for test in progress) > 0.5 * STREAMS
