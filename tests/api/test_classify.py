"""Classifying through the API, at once or in the background."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from classifier import tasks
from classifier.models import Gate, Prediction, Ticket, Verdict
from classifier.pipeline import sync_classification
from review.models import Assignment
from tests import servers
from tests.api.caller import Caller, caller, problem
from tests.conftest import UseServer
from tests.factories import configure_review, make_ticket, make_user
from tests.servers import OpenAIServer, Reply, Request, say

KEYS = {"category", "sentiment", "confidence", "reasoning", "review_flag", "fallback_review", "model", "latency_ms"}


def test_one_text_is_answered_at_once_and_stored_as_a_ticket(lead_api: Caller, embedded_gate: Gate) -> None:
    answer = lead_api.post("/classify", {"text": "My invoice has the wrong tax rate."})
    assert answer.status_code == 200
    (result,) = answer.json()["results"]
    assert result.keys() >= KEYS
    prediction = Prediction.objects.get()
    assert (result["category"], result["sentiment"]) == (prediction.category.name, prediction.sentiment.name)
    assert (result["model"], result["reasoning"]) == (prediction.language_model.name, prediction.reasoning)
    assert result["review_flag"] is not Verdict.objects.get().auto_accepted
    ticket = Ticket.objects.get()
    assert (result["ticket"]["id"], result["ticket"]["state"]) == (ticket.pk, ticket.state)
    assert ticket.source == "api"
    assert result["error"] is None


def test_the_same_external_id_is_asked_about_once(lead_api: Caller, embedded_gate: Gate) -> None:
    sent = {"tickets": [{"text": "Where is my parcel?", "external_id": "1"}, {"text": "Refund me", "external_id": "2"}]}
    first, again = lead_api.post("/classify", sent), lead_api.post("/classify", sent)
    assert first.json() == again.json()
    assert Ticket.objects.count() == Prediction.objects.count() == 2
    other = {"tickets": [{"text": "New"}, {"text": "?", "external_id": "1"}]}
    conflict = problem(lead_api.post("/classify", other), 409, "text-conflict")
    assert [error["pointer"] for error in conflict["errors"]] == ["/tickets/1"]
    assert Ticket.objects.count() == 2


def test_an_unstored_classification_gives_the_same_answer_and_keeps_nothing(
    lead_api: Caller, embedded_gate: Gate
) -> None:
    text = "My invoice has the wrong tax rate."
    instant = lead_api.post("/classify", {"text": text, "store": False}).json()["results"][0]
    assert not Ticket.objects.exists()
    assert instant.pop("ticket") is None
    stored = lead_api.post("/classify", {"text": text}).json()["results"][0]
    for name in KEYS - {"latency_ms"}:
        assert stored[name] == instant[name], name


def test_a_failed_classification_says_why_and_goes_to_review(lead_api: Caller, primary: UseServer) -> None:
    configure_review()
    with OpenAIServer(lambda request: say("The dog ate my JSON.")) as server:
        primary(server)
        (result,) = lead_api.post("/classify", {"text": "Hello"}).json()["results"]
    assert result["error"]
    assert result["category"] is None
    assert result["review_flag"] is True
    assert Assignment.objects.open().count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", "tickets": [{"text": "b"}]},
        {"tickets": []},
        {"tickets": [{"text": "x"}] * 65},
        {"text": " "},
        {"text": 1},
        {"text": "a", "deadline_ms": 1},
        {"text": "a", "deadline_ms": 10**30},
        {"text": "a", "sotre": False},
    ],
)
def test_invalid_requests_are_refused_and_store_nothing(lead_api: Caller, body: dict[str, object]) -> None:
    problem(lead_api.post("/classify", body), 422, "invalid")
    assert not Ticket.objects.exists()


@pytest.fixture
def threads(inline_classification: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    """One real thread."""
    with sync_classification.ConnectedThreadPool(1) as pool:
        monkeypatch.setattr(sync_classification, "thread_pool", pool)
        yield pool
        ThreadPoolExecutor.submit(pool, connections.close_all)  # however full it is


@pytest.mark.django_db(transaction=True)
def test_after_the_deadline_running_work_continues_and_the_rest_is_queued(
    catalogue: None, primary: UseServer, threads: ThreadPoolExecutor
) -> None:
    lead = caller(make_user("lia", "Lead"))
    release = threading.Event()

    def reply(request: Request) -> Reply:
        release.wait(10)
        return servers.answer()

    with OpenAIServer(reply) as server:
        primary(server)
        begun = lead.post("/classify", {"text": "The first one.", "deadline_ms": 100})
        queued = lead.post("/classify", {"text": "The second one.", "deadline_ms": 100})
        late = lead.post("/classify", {"text": "Not stored.", "deadline_ms": 100, "store": False})
        for answer in (begun, queued):
            assert (answer.status_code, answer["Retry-After"]) == (202, "1")
            (result,) = answer.json()["results"]
            assert (result["category"], result["ticket"]["state"]) == (None, "new")
        problem(late, 504, "deadline")
        first, second = (answer.json()["results"][0]["ticket"] for answer in (begun, queued))
        # The running ticket is claimed; the other is free for any worker.
        assert list(Ticket.objects.waiting().values_list("pk", flat=True)) == [second["id"]]
        release.set()
        threads.submit(connections.close_all).result(10)
        assert lead.client.get(first["url"], headers=lead.headers).json()["state"] != "new"
        tasks.classify_tickets.call()
        assert lead.client.get(second["url"], headers=lead.headers).json()["state"] != "new"
    assert Prediction.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_late_work_that_nobody_would_see_is_cancelled(
    catalogue: None, primary: UseServer, threads: ThreadPoolExecutor
) -> None:
    lead = caller(make_user("lia", "Lead"))
    with OpenAIServer([servers.HANG]) as server:
        primary(server, timeout=60)
        late = lead.post("/classify", {"text": "Not stored.", "deadline_ms": 300, "store": False})
        problem(late, 504, "deadline")
        threads.submit(connections.close_all).result(5)
    assert len(server.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_a_full_queue_is_said_at_once(catalogue: None, primary: UseServer, threads: ThreadPoolExecutor) -> None:
    lead, release = caller(make_user("lia", "Lead")), threading.Event()
    for _number in range(2):
        threads.submit(release.wait, 10)
    unstored = lead.post("/classify", {"text": "Not stored.", "store": False})
    stored = lead.post("/classify", {"text": "Stored."})
    release.set()
    problem(unstored, 503, "busy")
    assert unstored["Retry-After"] == "1"
    assert (stored.status_code, Ticket.objects.waiting().filter(attempts=0).count()) == (202, 1)


def test_a_ticket_that_already_waits_is_left_to_the_queue(lead_api: Caller) -> None:
    make_ticket("Waiting", source="api", external_id="1")
    answer = lead_api.post("/classify", {"tickets": [{"text": "Waiting", "external_id": "1"}]})
    assert answer.status_code == 202
    assert Ticket.objects.get().attempts == 0
