"""A fault of the provider is told from a fault of the ticket, and costs few requests."""

from dataclasses import replace

import pytest

from classifier.contract.types import ClassifierError, FailureKind, ProviderFault
from classifier.inference.ask_models import ask_all
from classifier.inference.backends import head_start
from classifier.models import ContractVersion, LanguageModel
from tests.conftest import UseServer
from tests.servers import OpenAIServer, Reply, answer, error, raw

pytestmark = pytest.mark.django_db


def asked(language_model: LanguageModel, number: int = 1) -> list[object]:
    """The model's results for so many texts."""
    texts = [f"Ticket {place}" for place in range(number)]
    groups = ask_all(texts, language_model, ContractVersion.objects.current())
    return [result for group in groups for _place, result in group]


FAULTS = [
    (error(401, "Incorrect API key provided"), FailureKind.UNAUTHORIZED),
    (error(403, "Country not supported"), FailureKind.UNAUTHORIZED),
    (error(402, "Insufficient Balance"), FailureKind.PAYMENT_REQUIRED),
    (error(400, "Your credit balance is too low to access this API."), FailureKind.PAYMENT_REQUIRED),
    (error(429, "You exceeded your current quota.", code="insufficient_quota"), FailureKind.QUOTA),
    (error(404, "The model `x` does not exist"), FailureKind.MODEL_GONE),
    (error(400, "It was retired.", code="model_decommissioned"), FailureKind.MODEL_GONE),
    (error(302, "Found", location="https://elsewhere.example/v1"), FailureKind.UNREACHABLE),
]


@pytest.mark.parametrize(("reply", "kind"), FAULTS)
def test_thirty_tickets_cost_at_most_three_requests_and_show_the_providers_words(
    primary: UseServer, reply: Reply, kind: FailureKind
) -> None:
    with OpenAIServer([reply]) as server:
        results = asked(primary(server, max_in_flight=8), 30)
    words = reply.headers.get("location") or reply.content
    for fault in results:
        assert isinstance(fault, ProviderFault)
        assert (fault.kind, fault.words) == (kind, words)
        assert words in str(fault)
    assert len(server.requests) <= 3
    assert len(results) == 30


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(400, "The prompt was flagged.", code="content_filter"), FailureKind.REFUSED),
        (raw(b'{"error": {"code": 403, "message": "Flagged", "metadata": {"flagged_input": "x"}}}'), None),
        (error(422, "Your ticket says: insufficient balance"), FailureKind.REJECTED),
        (error(429, "Slow down: insufficient_quota is what the ticket says", retry_after="60"), None),
    ],
)
def test_what_one_ticket_causes_is_no_fault_of_the_provider(
    primary: UseServer, reply: Reply, kind: FailureKind | None
) -> None:
    with OpenAIServer([reply]) as server:
        (result,) = asked(primary(server, json_mode="json_object"))
    assert isinstance(result, ClassifierError)
    assert not isinstance(result, ProviderFault)
    assert kind is None or result.kind == kind


def test_after_a_top_up_the_next_request_is_answered(primary: UseServer) -> None:
    with OpenAIServer([error(402), answer()]) as server:
        language_model = primary(server)
        assert isinstance(asked(language_model)[0], ProviderFault)
        assert not isinstance(asked(language_model)[0], ClassifierError)


def test_a_slow_first_answer_does_not_hold_the_others_back(primary: UseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_start, "LONGEST_WAIT", 0.02)
    with OpenAIServer([replace(answer(), delay=0.3), answer()]) as server:
        results = asked(primary(server, json_mode="json_schema"), 3)
    assert server.max_in_flight > 1
    assert len(results) == 3
