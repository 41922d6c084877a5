"""What tests of the desk share."""

import pytest

from tests.factories import configure_review


@pytest.fixture
def plain_desk(catalogue: None) -> None:
    """A desk where every ticket is one review that shows the suggestion."""
    configure_review()
