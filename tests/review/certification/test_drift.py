"""The watch over every ticket, and the look at audits: quiet while nothing changes, quick to tell what has."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review.certification.drift import (
    BASELINE_TICKETS,
    BURST_AUDITS,
    ERROR_FACTORS,
    QUIET_AUDITS,
    QUIET_TICKETS,
    ChangeDetector,
    DriftMonitor,
    Observation,
    audit_error_detector,
    burst_verdict,
)

pytestmark = pytest.mark.once


def luck_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - only figures


USUAL = [8, 5, 3, 2, 1, 1]
"""How often each category comes, in proportion."""


def tickets(
    number: int,
    *,
    seed: int,
    disagree: float = 0.1,
    uncertainty: float = 0.1,
    unknown: float = 0.4,
    labels: Sequence[float] = USUAL,
) -> Iterator[Observation]:
    """So many, with these figures on average."""
    luck = luck_of(seed)
    for category in luck.choices(range(len(labels)), labels, k=number):
        yield Observation(
            float(luck.random() < disagree),
            luck.betavariate(10 * uncertainty, 10 * (1 - uncertainty)),
            luck.betavariate(10 * unknown, 10 * (1 - unknown)),
            category,
        )


def first_alarm(watch: DriftMonitor, stream: Iterator[Observation]) -> tuple[int, str, int] | None:
    """After how many tickets, of which kind, and since when."""
    for number, seen in enumerate(stream, start=1):
        watch.observe(seen)
        if found := watch.change():
            return number, *found
    return None


# While nothing changes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("disagree", [0.02, 0.3])
def test_quiet_streams_raise_nothing(seed: int, disagree: float) -> None:
    assert first_alarm(DriftMonitor(), tickets(5_000, seed=seed, disagree=disagree)) is None


@pytest.mark.parametrize(
    "labels",
    [[1], [1, 1], [98, 1, 1], [1] * 8, [1] * 60, [1 / (rank + 1) ** 2 for rank in range(30)]],
    ids=["one", "two", "rare", "eight", "sixty", "many"],
)
def test_it_is_quiet_however_many_labels_there_are(labels: Sequence[float]) -> None:
    assert first_alarm(DriftMonitor(), tickets(4_000, seed=7, labels=labels)) is None


@pytest.mark.parametrize("figure", [0.0, 0.5, 1.0])
def test_figures_that_never_change_raise_nothing(figure: float) -> None:
    watch = DriftMonitor()
    assert first_alarm(watch, (Observation(figure, figure, figure, 1) for _number in range(3_000))) is None
    watch.restart()
    assert first_alarm(watch, (Observation(figure, figure, figure, 1) for _number in range(3_000))) is None


def test_what_gets_better_raises_nothing() -> None:
    watch = DriftMonitor()
    assert first_alarm(watch, tickets(2_000, seed=1, disagree=0.4, uncertainty=0.5, unknown=0.6)) is None
    assert first_alarm(watch, tickets(2_000, seed=2, disagree=0.1, uncertainty=0.1, unknown=0.2)) is None


def test_nothing_is_looked_for_before_it_is_known_what_is_usual() -> None:
    """The first tickets are all unlike each other in every way that counts."""
    watch = DriftMonitor()
    stream = [
        *tickets(BASELINE_TICKETS // 2, seed=1),
        *tickets(BASELINE_TICKETS // 2, seed=2, disagree=1, uncertainty=0.9, labels=[0, 1]),
    ]
    assert first_alarm(watch, iter(stream)) is None
    assert all(detector == ChangeDetector() for detector in watch.detectors.values())


# When something changes

RISES = [
    ("agreement", {"disagree": 0.3}),
    ("scores", {"uncertainty": 0.2}),
    ("unknown", {"unknown": 0.5}),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("before", [800, 4_000])
@pytest.mark.parametrize(("kind", "change"), RISES, ids=[kind for kind, _change in RISES])
def test_a_rise_is_noticed_soon_and_said_since_when(
    kind: str, change: dict[str, float], before: int, seed: int
) -> None:
    watch = DriftMonitor()
    assert first_alarm(watch, tickets(before, seed=seed)) is None
    found = first_alarm(watch, tickets(1_000, seed=seed + 100, **change))  # type: ignore[arg-type]
    assert found
    after, noticed, since = found
    assert noticed == kind
    assert after <= 250
    assert before - 200 <= since < before + 80


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("before", [800, 4_000])
@pytest.mark.parametrize("labels", [[1, 1, 2, 3, 5, 8], [8, 5, 3, 2, 1, 1, 15]], ids=["turned round", "a new one"])
def test_another_mix_of_labels_is_noticed_soon(labels: Sequence[float], before: int, seed: int) -> None:
    watch = DriftMonitor()
    assert first_alarm(watch, tickets(before, seed=seed)) is None
    found = first_alarm(watch, tickets(1_000, seed=seed + 100, labels=labels))
    assert found
    after, noticed, since = found
    assert noticed == "labels"
    assert after <= 250
    assert before - 200 <= since < before + 80


def test_a_change_does_not_go_away_by_itself_before_it_is_seen() -> None:
    watch = DriftMonitor()
    for seen in tickets(1_000, seed=1):
        watch.observe(seen)
    for seen in tickets(250, seed=2, disagree=0.6):
        watch.observe(seen)
    assert watch.change()
    for seen in tickets(20, seed=3):
        watch.observe(seen)
    assert watch.change()


def test_where_there_is_no_second_family_only_the_rest_is_looked_at() -> None:
    watch = DriftMonitor()
    assert first_alarm(watch, (seen._replace(disagrees=None) for seen in tickets(600, seed=1))) is None
    assert watch.baseline["agreement"].n == 0
    assert watch.tickets == watch.baseline["scores"].n == 600
    found = first_alarm(watch, (seen._replace(disagrees=None) for seen in tickets(600, seed=2, uncertainty=0.3)))
    assert found
    assert found[1] == "scores"


@pytest.mark.parametrize(
    "change", [{"disagree": 0.4}, {"uncertainty": 0.3}, {"unknown": 0.6}, {"labels": [1, 1, 2, 3, 5, 8]}]
)
def test_what_is_no_reason_to_worry_is_usual_from_then_on(change: dict[str, float]) -> None:
    watch = DriftMonitor()
    assert first_alarm(watch, tickets(4_000, seed=1)) is None
    assert first_alarm(watch, tickets(1_000, seed=2, **change))  # type: ignore[arg-type]
    seen = watch.tickets
    watch.restart()
    assert watch.change() is None
    assert watch.tickets == seen
    assert first_alarm(watch, tickets(4_000, seed=3, **change)) is None  # type: ignore[arg-type]


def test_what_comes_after_it_was_quietened_is_noticed_again() -> None:
    watch = DriftMonitor()
    first_alarm(watch, tickets(1_000, seed=1))
    watch.restart()
    first_alarm(watch, tickets(1_000, seed=2, disagree=0.3))
    found = first_alarm(watch, tickets(1_000, seed=3, disagree=0.7))
    assert found
    after, kind, since = found
    assert kind == "agreement"
    assert after < 100
    assert since == pytest.approx(2_000, abs=80)


# Kept and taken up again


@given(st.integers(0, 1_200), st.integers(0, 5))
@settings(max_examples=12)
def test_it_goes_on_where_it_was_left(cut: int, seed: int) -> None:
    stream = [*tickets(700, seed=seed), *tickets(500, seed=seed + 50, disagree=0.2, labels=[1, 2, 3, 4, 5, 6])]
    kept, straight = DriftMonitor(), DriftMonitor()
    for seen in stream[:cut]:
        kept.observe(seen)
    kept = DriftMonitor.from_json(json.loads(json.dumps(kept.as_json())))
    for seen in stream[cut:]:
        kept.observe(seen)
    for seen in stream:
        straight.observe(seen)
    assert kept == straight
    assert kept.change() == straight.change()


def test_of_nothing_a_new_one_is_made() -> None:
    assert DriftMonitor.from_json({}) == DriftMonitor()
    assert DriftMonitor.from_json(DriftMonitor().as_json()) == DriftMonitor()


# A gambler


def test_a_detector_starts_anew_whenever_it_has_less_than_it_began_with() -> None:
    detector = ChangeDetector([0.0], [0])
    for at, gain in enumerate([0.5, 0.5, 2.0, 3.0]):
        detector.bet([gain], at)
    assert detector.since == [2]
    assert detector.log_wealth == pytest.approx([math.log(6)])
    assert detector.change_point(5) == 2
    assert detector.change_point(7) is None


def test_the_bet_that_won_most_says_since_when() -> None:
    detector = ChangeDetector([0.0, 0.0], [0, 0])
    for at, gains in enumerate([(2.0, 0.5), (2.0, 8.0), (1.0, 8.0)]):
        detector.bet(gains, at)
    assert detector.since == [0, 1]
    assert detector.change_point(30) == 1


def test_a_false_alarm_takes_at_least_as_many_tickets_as_promised_on_average() -> None:
    """Of a coin that is just as usual, for a small limit: exactly half of it doubles the money, half takes it all but
    a little.
    """
    luck, quiet, waited = luck_of(3), 20, []
    for _run in range(400):
        detector, at = ChangeDetector([0.0], [0]), 0
        while detector.change_point(quiet) is None:
            detector.bet([1.9 if luck.random() < 0.5 else 0.1], at)
            at += 1
        waited.append(at)
    assert sum(waited) / len(waited) > quiet


# Audits


def test_audits_that_keep_the_promise_raise_nothing() -> None:
    luck = luck_of(4)
    for _stream in range(20):
        found = [luck.random() < 0.015 for _audit in range(1_500)]
        assert audit_error_detector(found, 0.03).change_point(QUIET_AUDITS) is None


def test_too_many_errors_among_audits_are_noticed_and_said_since_when() -> None:
    luck = luck_of(5)
    before = [luck.random() < 0.01 for _audit in range(600)]
    after = [luck.random() < 0.15 for _audit in range(200)]
    assert audit_error_detector(before, 0.03).change_point(QUIET_AUDITS) is None
    since = audit_error_detector(before + after, 0.03).change_point(QUIET_AUDITS)
    assert since == pytest.approx(600, abs=30)


@pytest.mark.parametrize("error", [0.01, 0.03, 0.2])
def test_errors_one_after_another_raise_it_as_soon_as_the_closed_form_says(error: float) -> None:
    """The boldest bet grows by its factor each time."""
    boldest = min(ERROR_FACTORS[-1] * error, 0.9) / error
    needed = math.ceil(math.log(len(ERROR_FACTORS) * QUIET_AUDITS) / math.log(boldest))
    assert audit_error_detector([False] * 7 + [True] * (needed - 1), error).change_point(QUIET_AUDITS) is None
    assert audit_error_detector([False] * 7 + [True] * needed, error).change_point(QUIET_AUDITS) == 7


def test_of_no_audits_nothing_is_said() -> None:
    assert audit_error_detector([], 0.03).change_point(QUIET_AUDITS) is None
    assert burst_verdict([], 0.03) is None


@pytest.mark.parametrize("error", [0.03, 0.1])
def test_a_burst_without_errors_says_that_all_is_well_once_it_is_long_enough(error: float) -> None:
    assert burst_verdict([False] * (BURST_AUDITS - 1), error) is None
    assert burst_verdict([False] * BURST_AUDITS, error) is False


def test_a_burst_with_a_few_errors_too_many_says_nothing_yet() -> None:
    spread = [number % 25 == 24 for number in range(BURST_AUDITS)]
    assert sum(spread) / BURST_AUDITS > 0.03
    assert burst_verdict(spread, 0.03) is None
    assert burst_verdict([*spread, *[False] * 60], 0.03) is False


@given(st.lists(st.booleans(), max_size=12), st.sampled_from([0.03, 0.1, 0.3]))
def test_a_burst_says_that_it_is_worse_as_soon_as_all_bets_together_suffice(wrong: list[bool], error: float) -> None:
    log_wealth, suffices = [1.0] * len(ERROR_FACTORS), False
    for one in wrong:
        shares = [min(error * factor, 0.9) for factor in ERROR_FACTORS]
        log_wealth = [
            before * (share / error if one else (1 - share) / (1 - error))
            for before, share in zip(log_wealth, shares, strict=True)
        ]
        suffices = suffices or sum(log_wealth) / len(log_wealth) >= 100
    assert burst_verdict(wrong, error) is (True if suffices else None)


def test_what_a_burst_found_stays_found() -> None:
    assert burst_verdict([True] * 4, 0.03) is True
    assert burst_verdict([True] * 4 + [False] * 500, 0.03) is True


def test_bursts_of_tickets_that_keep_the_promise_find_fault_seldom() -> None:
    luck = luck_of(6)
    bursts = [[luck.random() < 0.03 for _audit in range(300)] for _burst in range(400)]
    # One in a hundred at most, and three standard errors.
    assert sum(burst_verdict(burst, 0.03) is True for burst in bursts) <= 4 + 3 * 2


def test_bursts_of_tickets_that_have_become_much_worse_find_fault_nearly_always() -> None:
    luck = luck_of(7)
    bursts = [[luck.random() < 0.15 for _audit in range(150)] for _burst in range(100)]
    assert sum(burst_verdict(burst, 0.03) is True for burst in bursts) >= 90


def test_a_burst_may_be_as_long_as_it_likes() -> None:
    assert burst_verdict([False] * 20_000, 0.3) is False
    assert burst_verdict([True] * 20_000, 0.3) is True


def test_limits_are_those_of_one_false_alarm_in_so_many_tickets() -> None:
    """Four bets share a limit, so that each has to win four times as much."""
    just = math.log(4 * QUIET_TICKETS)
    assert ChangeDetector([just + 1e-9, 0, 0, 0], [3, 0, 0, 0]).change_point(QUIET_TICKETS) == 3
    assert ChangeDetector([just - 1e-9, 0, 0, 0], [3, 0, 0, 0]).change_point(QUIET_TICKETS) is None
