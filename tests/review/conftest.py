"""Fixtures that the tests of review share."""

from collections.abc import Iterator

import pytest

from tests.factories import configure_review
from tests.review.actions import assert_consistent


@pytest.fixture
def single_reviews(catalogue: None) -> None:
    """Every ticket is reviewed by one person, who sees the suggestion."""
    configure_review()


@pytest.fixture
def consistent_reviews(single_reviews: None) -> Iterator[None]:
    """As `single_reviews`; afterwards assignments, decisions and tickets must agree."""
    yield
    assert_consistent()
