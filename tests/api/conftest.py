"""What is classified at once is done by whoever asks, so that it is seen within one transaction."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from django.contrib.auth.models import User

from classifier.pipeline import sync_classification
from tests.api.caller import Caller, caller


class Inline(Executor):
    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_classification, "threads", Inline())


@pytest.fixture
def lead(catalogue: None, lea: User) -> Caller:
    """A program of a lead, who may do everything here."""
    return caller(lea)
