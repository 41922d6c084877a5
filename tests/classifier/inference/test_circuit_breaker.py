import pytest

from classifier.inference.backends.circuit_breaker import Breaker

pytestmark = pytest.mark.once


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(limit=3, cool_off=15, clock=clock)
    for _number in range(3):
        assert breaker.wait() == 0
        breaker.failed()
    return breaker


def test_the_breaker_opens_after_failures_in_a_row() -> None:
    assert broken(Clock()).wait() == 15


def test_a_success_between_failures_keeps_the_breaker_closed() -> None:
    breaker = Breaker(limit=3, cool_off=15, clock=Clock())
    for _number in range(10):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.wait() == 0


def test_after_the_pause_one_request_may_try() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 15
    assert breaker.wait() == 0
    assert breaker.wait() == 15


def test_one_success_closes_the_breaker_and_one_failure_reopens_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 15
    assert breaker.wait() == 0
    breaker.failed()
    assert breaker.wait() == 15
    clock.now += 15
    assert breaker.wait() == 0
    breaker.succeeded()
    assert breaker.wait() == 0
    assert breaker.wait() == 0
