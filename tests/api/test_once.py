"""Requests with an Idempotency-Key run once and get the same reply again."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from classifier import tasks
from classifier.api import stored_replies
from classifier.models import StoredReply, Ticket
from tests.api.caller import Caller, caller, problem
from tests.factories import make_user

SENT = {"text": "Where is my invoice?"}


def test_a_repeated_request_gets_the_first_answer(lead_api: Caller) -> None:
    first, again = (lead_api.post("/tickets", SENT, Idempotency_Key="one") for _time in range(2))
    assert (first.status_code, first.content, first["Location"]) == (
        again.status_code,
        again.content,
        again["Location"],
    )
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert Ticket.objects.count() == 1
    assert lead_api.post("/tickets", SENT, Idempotency_Key="two").status_code == 201


def test_an_idempotency_key_belongs_to_one_request_of_one_caller(lead_api: Caller) -> None:
    lead_api.post("/tickets", SENT, Idempotency_Key="one")
    refusal = problem(
        lead_api.post("/tickets", {"text": "Another"}, Idempotency_Key="one"), 422, "idempotency-key-reused"
    )
    assert "new one" in refusal["detail"]
    problem(lead_api.post("/classify", SENT, Idempotency_Key="one"), 422, "idempotency-key-reused")
    assert caller(lead_api.key.user).post("/tickets", SENT, Idempotency_Key="one").status_code == 201
    problem(lead_api.post("/tickets", SENT, Idempotency_Key="x" * 256), 400)
    problem(lead_api.post("/tickets", SENT, Idempotency_Key="ü"), 400)


def test_refusals_repeat_and_failures_may_be_tried_again(lead_api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object, **_values: object) -> None:
        raise RuntimeError("a secret of ours")

    with monkeypatch.context() as broken:
        broken.setattr("classifier.ingest.storing.store", fails)
        failure = problem(lead_api.post("/tickets", SENT, Idempotency_Key="one"), 500)
        assert "secret" not in str(failure)
    assert lead_api.post("/tickets", SENT, Idempotency_Key="one").status_code == 201
    lead_api.post("/tickets", SENT | {"external_id": "1"})
    other = SENT | {"external_id": "1", "text": "Other"}
    answers = [lead_api.post("/tickets", other, Idempotency_Key="two") for _time in range(2)]
    assert [answer["Content-Type"] for answer in answers] == ["application/problem+json"] * 2
    assert answers[0].content == answers[1].content


def test_a_running_request_is_not_repeated_unless_its_process_died(lead_api: Caller) -> None:
    lead_api.post("/tickets", SENT, Idempotency_Key="one")
    StoredReply.objects.update(status=None)
    waits = lead_api.post("/tickets", SENT, Idempotency_Key="one")
    problem(waits, 409, "in-progress")
    assert waits["Retry-After"] == "1"
    StoredReply.objects.update(begun_at=timezone.now() - stored_replies.MAX_REQUEST_TIME)
    assert lead_api.post("/tickets", SENT, Idempotency_Key="one").status_code == 201


def test_replies_are_kept_for_a_day(lead_api: Caller) -> None:
    for name in ("old", "new"):
        lead_api.post("/tickets", SENT, Idempotency_Key=name)
    StoredReply.objects.filter(name="old").update(begun_at=timezone.now() - stored_replies.RETENTION)
    tasks.sweep()
    assert [reply.name for reply in StoredReply.objects.all()] == ["new"]
    StoredReply.objects.update(begun_at=timezone.now() - stored_replies.RETENTION - timedelta(seconds=1))
    assert "Idempotent-Replayed" not in lead_api.post("/tickets", SENT, Idempotency_Key="new")


@pytest.mark.django_db(transaction=True)
def test_simultaneous_requests_with_one_key_run_once_and_all_count(
    catalogue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.api.rate_limits.time.time", lambda: 60 * 1_000.0)
    lead = caller(make_user("lia", "Lead"), per_minute=7)
    start, answers = threading.Barrier(4), []

    def send() -> None:
        try:
            start.wait(10)
            sent = SENT | {"external_id": "7"}
            answers.append(lead.post("/tickets", sent, Idempotency_Key="one").status_code)
            answers.append(lead.post("/tickets", sent).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 8
    assert set(answers) <= {200, 201, 409, 429}
    assert answers.count(429) == 1
    assert Ticket.objects.count() == StoredReply.objects.count() == 1
    assert StoredReply.objects.get().status in (200, 201)
