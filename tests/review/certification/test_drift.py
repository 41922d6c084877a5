"""The drift monitor and the audit detector stay quiet while nothing changes, and detect changes soon."""

import json
import math
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review.certification.drift import (
    BASELINE_TICKETS,
    ERROR_FACTORS,
    QUIET_AUDITS,
    QUIET_TICKETS,
    ChangeDetector,
    DriftMonitor,
    Observation,
    are_errors_suspected,
    audit_error_detector,
    exceeds,
)

pytestmark = pytest.mark.once


def generator(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - only figures


CATEGORY_WEIGHTS = [8, 5, 3, 2, 1, 1]
"""How often each category comes, in proportion."""


def tickets(
    number: int,
    *,
    seed: int,
    disagree: float = 0.1,
    uncertainty: float = 0.1,
    unknown: float = 0.4,
    labels: Sequence[float] = CATEGORY_WEIGHTS,
) -> Iterator[Observation]:
    """Observations with these figures on average."""
    luck = generator(seed)
    for category in luck.choices(range(len(labels)), labels, k=number):
        yield Observation(
            float(luck.random() < disagree),
            luck.betavariate(10 * uncertainty, 10 * (1 - uncertainty)),
            luck.betavariate(10 * unknown, 10 * (1 - unknown)),
            category,
        )


def first_alarm(monitor: DriftMonitor, stream: Iterator[Observation]) -> tuple[int, str, int] | None:
    """The number of tickets until the alarm, its kind, and the ticket at which the change began."""
    for number, seen in enumerate(stream, start=1):
        monitor.observe(seen)
        if change := monitor.change():
            return number, *change
    return None


# While nothing changes


def suspicious_share(monitor: DriftMonitor, stream: Iterator[Observation]) -> float:
    suspected = []
    for seen in stream:
        monitor.observe(seen)
        suspected.append(monitor.is_suspicious)
    return sum(suspected) / len(suspected)


def test_a_change_is_suspected_long_before_its_alarm_and_hardly_ever_without_one() -> None:
    monitor = DriftMonitor()
    assert suspicious_share(monitor, tickets(3_000, seed=1)) < 0.02
    assert suspicious_share(monitor, tickets(400, seed=2, disagree=0.16)) > 0.1
    assert monitor.change() is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("disagree", [0.02, 0.3])
def test_an_unchanged_stream_raises_no_alarm(seed: int, disagree: float) -> None:
    assert first_alarm(DriftMonitor(), tickets(5_000, seed=seed, disagree=disagree)) is None


@pytest.mark.parametrize(
    "labels",
    [[1], [1, 1], [98, 1, 1], [1] * 8, [1] * 60, [1 / (rank + 1) ** 2 for rank in range(30)]],
    ids=["one", "two", "rare", "eight", "sixty", "many"],
)
def test_no_alarm_is_raised_however_many_categories_there_are(labels: Sequence[float]) -> None:
    assert first_alarm(DriftMonitor(), tickets(4_000, seed=7, labels=labels)) is None


@pytest.mark.parametrize("figure", [0.0, 0.5, 1.0])
def test_constant_figures_raise_no_alarm(figure: float) -> None:
    monitor = DriftMonitor()
    assert first_alarm(monitor, (Observation(figure, figure, figure, 1) for _number in range(3_000))) is None
    monitor.restart()
    assert first_alarm(monitor, (Observation(figure, figure, figure, 1) for _number in range(3_000))) is None


def test_improvements_raise_no_alarm() -> None:
    monitor = DriftMonitor()
    assert first_alarm(monitor, tickets(2_000, seed=1, disagree=0.4, uncertainty=0.5, unknown=0.6)) is None
    assert first_alarm(monitor, tickets(2_000, seed=2, disagree=0.1, uncertainty=0.1, unknown=0.2)) is None


def test_no_bets_are_made_before_the_baseline_is_known() -> None:
    """The figures change completely half-way through the baseline."""
    monitor = DriftMonitor()
    stream = [
        *tickets(BASELINE_TICKETS // 2, seed=1),
        *tickets(BASELINE_TICKETS // 2, seed=2, disagree=1, uncertainty=0.9, labels=[0, 1]),
    ]
    assert first_alarm(monitor, iter(stream)) is None
    assert all(detector == ChangeDetector() for detector in monitor.detectors.values())


# When something changes

RISES = [
    ("agreement", {"disagree": 0.3}),
    ("scores", {"uncertainty": 0.2}),
    ("unknown", {"unknown": 0.5}),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("before", [800, 4_000])
@pytest.mark.parametrize(("kind", "change"), RISES, ids=[kind for kind, _change in RISES])
def test_a_rise_is_detected_soon_with_its_beginning(
    kind: str, change: dict[str, float], before: int, seed: int
) -> None:
    monitor = DriftMonitor()
    assert first_alarm(monitor, tickets(before, seed=seed)) is None
    alarm = first_alarm(monitor, tickets(1_000, seed=seed + 100, **change))  # type: ignore[arg-type]
    assert alarm
    after, noticed, since = alarm
    assert noticed == kind
    assert after <= 250
    assert before - 200 <= since < before + 80


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("before", [800, 4_000])
@pytest.mark.parametrize("labels", [[1, 1, 2, 3, 5, 8], [8, 5, 3, 2, 1, 1, 15]], ids=["turned round", "a new one"])
def test_a_new_mix_of_categories_is_detected_soon(labels: Sequence[float], before: int, seed: int) -> None:
    monitor = DriftMonitor()
    assert first_alarm(monitor, tickets(before, seed=seed)) is None
    alarm = first_alarm(monitor, tickets(1_000, seed=seed + 100, labels=labels))
    assert alarm
    after, noticed, since = alarm
    assert noticed == "labels"
    assert after <= 250
    assert before - 200 <= since < before + 80


def test_a_detected_change_stays_detected_until_the_monitor_restarts() -> None:
    monitor = DriftMonitor()
    for seen in tickets(1_000, seed=1):
        monitor.observe(seen)
    for seen in tickets(250, seed=2, disagree=0.6):
        monitor.observe(seen)
    assert monitor.change()
    for seen in tickets(20, seed=3):
        monitor.observe(seen)
    assert monitor.change()


def test_without_a_second_family_the_other_figures_are_monitored() -> None:
    monitor = DriftMonitor()
    assert first_alarm(monitor, (seen._replace(disagrees=None) for seen in tickets(600, seed=1))) is None
    assert monitor.baseline["agreement"].n == 0
    assert monitor.tickets == monitor.baseline["scores"].n == 600
    alarm = first_alarm(monitor, (seen._replace(disagrees=None) for seen in tickets(600, seed=2, uncertainty=0.3)))
    assert alarm
    assert alarm[1] == "scores"


@pytest.mark.parametrize(
    "change", [{"disagree": 0.4}, {"uncertainty": 0.3}, {"unknown": 0.6}, {"labels": [1, 1, 2, 3, 5, 8]}]
)
def test_after_a_restart_the_changed_figures_are_the_new_baseline(change: dict[str, float]) -> None:
    monitor = DriftMonitor()
    assert first_alarm(monitor, tickets(4_000, seed=1)) is None
    assert first_alarm(monitor, tickets(1_000, seed=2, **change))  # type: ignore[arg-type]
    seen = monitor.tickets
    monitor.restart()
    assert monitor.change() is None
    assert monitor.tickets == seen
    assert first_alarm(monitor, tickets(4_000, seed=3, **change)) is None  # type: ignore[arg-type]


def test_a_change_after_a_restart_is_detected() -> None:
    monitor = DriftMonitor()
    first_alarm(monitor, tickets(1_000, seed=1))
    monitor.restart()
    first_alarm(monitor, tickets(1_000, seed=2, disagree=0.3))
    alarm = first_alarm(monitor, tickets(1_000, seed=3, disagree=0.7))
    assert alarm
    after, kind, since = alarm
    assert kind == "agreement"
    assert after < 100
    assert since == pytest.approx(2_000, abs=80)


# Stored and restored


@given(st.integers(0, 1_200), st.integers(0, 5))
@settings(max_examples=12)
def test_a_restored_monitor_continues_where_it_stopped(cut: int, seed: int) -> None:
    stream = [*tickets(700, seed=seed), *tickets(500, seed=seed + 50, disagree=0.2, labels=[1, 2, 3, 4, 5, 6])]
    restored, straight = DriftMonitor(), DriftMonitor()
    for seen in stream[:cut]:
        restored.observe(seen)
    restored = DriftMonitor.from_json(json.loads(json.dumps(restored.as_json())))
    for seen in stream[cut:]:
        restored.observe(seen)
    for seen in stream:
        straight.observe(seen)
    assert restored == straight
    assert restored.change() == straight.change()


def test_an_empty_mapping_restores_a_new_monitor() -> None:
    assert DriftMonitor.from_json({}) == DriftMonitor()
    assert DriftMonitor.from_json(DriftMonitor().as_json()) == DriftMonitor()


# One detector


def test_a_detector_restarts_when_its_wealth_falls_below_one() -> None:
    detector = ChangeDetector([0.0], [0])
    for at, gain in enumerate([0.5, 0.5, 2.0, 3.0]):
        detector.bet([gain], at)
    assert detector.since == [2]
    assert detector.log_wealth == pytest.approx([math.log(6)])
    assert detector.change_point(5) == 2
    assert detector.change_point(7) is None


def test_the_bet_with_most_wealth_dates_the_change() -> None:
    detector = ChangeDetector([0.0, 0.0], [0, 0])
    for at, gains in enumerate([(2.0, 0.5), (2.0, 8.0), (1.0, 8.0)]):
        detector.bet(gains, at)
    assert detector.since == [0, 1]
    assert detector.change_point(30) == 1


def test_false_alarms_are_as_rare_as_the_limit_says_on_average() -> None:
    """A fair coin and a small limit: each throw nearly doubles the wealth or takes nearly all of it."""
    luck, quiet, waited = generator(3), 20, []
    for _run in range(400):
        detector, at = ChangeDetector([0.0], [0]), 0
        while detector.change_point(quiet) is None:
            detector.bet([1.9 if luck.random() < 0.5 else 0.1], at)
            at += 1
        waited.append(at)
    assert sum(waited) / len(waited) > quiet


# Audits


def test_audits_within_the_error_limit_raise_no_alarm() -> None:
    luck = generator(4)
    for _stream in range(20):
        wrong = [luck.random() < 0.015 for _audit in range(1_500)]
        assert audit_error_detector(wrong, 0.03).change_point(QUIET_AUDITS) is None


def test_too_many_errors_among_audits_are_detected_with_their_beginning() -> None:
    luck = generator(5)
    before = [luck.random() < 0.01 for _audit in range(600)]
    after = [luck.random() < 0.15 for _audit in range(200)]
    assert audit_error_detector(before, 0.03).change_point(QUIET_AUDITS) is None
    since = audit_error_detector(before + after, 0.03).change_point(QUIET_AUDITS)
    assert since == pytest.approx(600, abs=30)


@pytest.mark.parametrize("error", [0.01, 0.03, 0.2])
def test_consecutive_errors_raise_an_alarm_when_the_closed_form_does(error: float) -> None:
    """The boldest bet grows by its factor with each error."""
    boldest = min(ERROR_FACTORS[-1] * error, 0.9) / error
    needed = math.ceil(math.log(len(ERROR_FACTORS) * QUIET_AUDITS) / math.log(boldest))
    assert audit_error_detector([False] * 7 + [True] * (needed - 1), error).change_point(QUIET_AUDITS) is None
    assert audit_error_detector([False] * 7 + [True] * needed, error).change_point(QUIET_AUDITS) == 7


def test_more_errors_than_usual_are_suspected_long_before_they_exceed_the_limit() -> None:
    rare = [number % 200 == 99 for number in range(600)]
    assert not are_errors_suspected(audit_error_detector(rare, 0.03))
    assert are_errors_suspected(audit_error_detector([*rare, *[number % 12 == 0 for number in range(40)]], 0.03))


@given(st.lists(st.booleans(), max_size=12), st.sampled_from([0.03, 0.1, 0.3]))
def test_an_alarm_is_confirmed_when_the_mean_of_all_bets_reaches_the_limit(wrong: list[bool], error: float) -> None:
    log_wealth = [1.0] * len(ERROR_FACTORS)
    for is_wrong in wrong:
        shares = [min(error * factor, 0.9) for factor in ERROR_FACTORS]
        log_wealth = [
            before * (share / error if is_wrong else (1 - share) / (1 - error))
            for before, share in zip(log_wealth, shares, strict=True)
        ]
    assert exceeds(wrong, error) is (sum(log_wealth) / len(log_wealth) >= 100)


def test_audits_within_the_error_limit_rarely_confirm_an_alarm() -> None:
    luck = generator(6)
    streams = [[luck.random() < 0.03 for _audit in range(300)] for _stream in range(400)]
    # One in a hundred at most, and three standard errors.
    assert sum(exceeds(audits, 0.03) for audits in streams) <= 4 + 3 * 2


def test_audits_far_beyond_the_error_limit_nearly_always_confirm_an_alarm() -> None:
    luck = generator(7)
    streams = [[luck.random() < 0.15 for _audit in range(150)] for _stream in range(100)]
    assert sum(exceeds(audits, 0.03) for audits in streams) >= 90


def test_very_many_audits_overflow_nothing() -> None:
    assert not exceeds([False] * 20_000, 0.3)
    assert exceeds([True] * 20_000, 0.3)


def test_four_bets_share_the_limit_of_false_alarms() -> None:
    """Four bets share a limit, so that each has to win four times as much."""
    just = math.log(4 * QUIET_TICKETS)
    assert ChangeDetector([just + 1e-9, 0, 0, 0], [3, 0, 0, 0]).change_point(QUIET_TICKETS) == 3
    assert ChangeDetector([just - 1e-9, 0, 0, 0], [3, 0, 0, 0]).change_point(QUIET_TICKETS) is None
