"""Percentiles: the definition by hand, and another's implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.stats.percentiles import percentile

pytestmark = pytest.mark.once

TIMES = st.lists(st.floats(0, 1e5), min_size=1, max_size=40)


@given(TIMES, st.one_of(st.sampled_from([50.0, 95.0, 99.0]), st.floats(0, 100)))
def test_percentiles_equal_numpy(values: list[float], q: float) -> None:
    assert percentile(values, q) == pytest.approx(float(np.percentile(values, q)))


@pytest.mark.parametrize(("q", "value"), [(0, 1), (50, 2.5), (95, 3.85), (100, 4)])
def test_percentiles_between_two_values_are_interpolated(q: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], q) == pytest.approx(value)


def test_a_single_value_is_every_percentile_and_no_values_give_none() -> None:
    assert [percentile([7.5], q) for q in (0, 50, 99, 100)] == [7.5] * 4
    assert percentile([], 50) is None


@pytest.mark.parametrize("q", [-0.1, 100.1, float("nan")])
def test_percentiles_outside_zero_to_hundred_are_rejected(q: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        percentile([1.0], q)
