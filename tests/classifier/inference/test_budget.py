"""Money is reserved by what a text may cost, on the day on which it is reserved."""

from datetime import date
from decimal import Decimal

import pytest

from classifier.inference import budget
from classifier.inference.ask_models import ask_all
from classifier.inference.budget import BudgetReservation
from classifier.models import ContractVersion, LanguageModel, Provider, Spend
from tests.conftest import UseServer
from tests.servers import OpenAIServer, answer, error

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


@pytest.fixture
def language_model() -> LanguageModel:
    provider = Provider.objects.create(name="p", base_url="http://127.0.0.1:9/v1", daily_budget=100)
    return LanguageModel.objects.create(provider=provider, name="m", family="m", price_input=1_000, price_per_request=1)


def test_what_was_reserved_before_midnight_is_settled_on_that_day(
    language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)
    reservation = BudgetReservation(language_model, ContractVersion.objects.current().terms)
    monkeypatch.setattr(budget, "_today", lambda: monday)
    assert reservation.reserve(["one", "two"]) == 2
    monkeypatch.setattr(budget, "_today", lambda: tuesday)
    assert reservation.reserve(["three"]) == 1
    reservation.settle([Decimal(1), Decimal(2), Decimal(4)])
    reservation.close()
    assert dict(Spend.objects.values_list("day", "cost")) == {monday: 3, tuesday: 4}


def test_east_asian_text_is_reserved_and_estimated_by_the_character(language_model: LanguageModel) -> None:
    language_model.price_per_request = Decimal(0)
    one, other = "我的发票在哪里" * 100, "invoice" * 100
    english, chinese = (budget.expected_cost(language_model, 0, [text]) for text in (other, one))
    assert 3.5 < chinese / english < 4.5
    reserved = []
    for text in (other, one):
        Spend.objects.all().delete()
        BudgetReservation(language_model, ContractVersion.objects.current().terms).reserve([text])
        reserved.append(Spend.objects.get().cost)
    assert reserved[1] - reserved[0] > 2 * Decimal("0.4")


def test_every_request_that_was_sent_is_charged_and_no_other(primary: UseServer) -> None:
    texts = [f"number {number}" for number in range(6)]
    with OpenAIServer([error(500), answer()]) as server:
        language_model = primary(server, price_per_request=1, daily_budget=100, json_mode="json_schema")
        results = [
            result for group in ask_all(texts, language_model, ContractVersion.objects.current()) for result in group
        ]
    assert len(results) == 6
    assert Spend.objects.get().cost == len(server.requests) == 7


def test_texts_that_a_fault_of_the_provider_leaves_unasked_cost_nothing(primary: UseServer) -> None:
    with OpenAIServer([error(402)]) as server:
        language_model = primary(server, price_per_request=1, daily_budget=100)
        for _group in ask_all(["a"] * 20, language_model, ContractVersion.objects.current()):
            pass
    assert Spend.objects.get().cost == len(server.requests) == 1
