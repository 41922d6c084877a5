"""Fixtures of the API tests."""

import pytest


@pytest.fixture(autouse=True)
def always_inline(inline_classification: None) -> None:
    """Every API test may classify."""
