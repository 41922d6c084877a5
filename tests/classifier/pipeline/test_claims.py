"""Concurrent workers on a real database never share a ticket or write anything twice."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from classifier.inference import budget
from classifier.ingest import storing
from classifier.models import ContractVersion, Gate, LanguageModel, Prediction, Provider, Spend, Ticket, Verdict
from classifier.pipeline import claims, runner
from classifier.taxonomy import initial_data
from tests.factories import make_language_model, make_ticket
from tests.servers import OpenAIServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def at_once(number: int, work: Callable[[], Any]) -> list[Any]:
    """Run the same function in many threads that start together; returns the results."""
    start = threading.Barrier(number)
    results: list[Any] = []

    def run() -> None:
        start.wait()
        try:
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == number, "a thread ended with an exception"
    return results


def test_no_ticket_is_claimed_twice() -> None:
    Ticket.objects.bulk_create([Ticket(text="hello") for _number in range(40)])
    claimed = [ticket.pk for batch in at_once(8, lambda: claims.claim(5)) for ticket in batch]
    assert len(claimed) == len(set(claimed)) == 40


def test_single_tickets_are_claimed_before_an_earlier_bulk_import() -> None:
    storing.store([{"source": "import", "text": f"row {number}"} for number in range(5_000)])
    person = make_ticket("I wait for an answer")
    batch = claims.claim(64)
    assert batch[0] == person
    assert [ticket.bulk for ticket in batch[1:]] == [True] * 63


def test_simultaneous_answers_to_one_ticket_are_stored_once() -> None:
    initial_data.load()
    ticket = make_ticket()
    with OpenAIServer(delay=0.05) as server:
        Gate.objects.update(primary=make_language_model(server, name="first", family="first"), second_opinion=None)
        ContractVersion.objects.current()
        at_once(6, lambda: runner.classify_claimed([ticket], Gate.current()))
    assert Prediction.objects.count() == 1
    assert Verdict.objects.count() == 1
    ticket.refresh_from_db()
    assert ticket.state == Ticket.State.AUTO_ACCEPTED


def test_concurrent_requests_never_overspend_a_budget() -> None:
    initial_data.load()
    provider = Provider.objects.create(name="p", base_url="http://127.0.0.1:9/v1", daily_budget=Decimal(10))
    language_model = LanguageModel.objects.create(
        provider=provider, name="m", family="m", price_per_request=Decimal("0.5")
    )
    terms = ContractVersion.objects.current().terms
    assert sum(at_once(8, lambda: budget.BudgetReservation(language_model, terms).reserve(["a"] * 3))) == 10
    assert Spend.objects.get().cost == 10


def test_two_simultaneous_imports_store_each_ticket_once() -> None:
    rows = [{"source": "import", "text": "hello", "external_id": str(number)} for number in range(50)]
    at_once(4, lambda: storing.store(rows))
    assert Ticket.objects.count() == 50


def test_a_postponed_ticket_is_claimed_again_at_its_time() -> None:
    ticket = make_ticket()
    claims.postpone(claims.claim(1), 3600, attempted=False)
    ticket.refresh_from_db()
    assert ticket.attempts == 0
    assert ticket.available_at > timezone.now() + timedelta(minutes=59)
    assert claims.claim(1) == []
