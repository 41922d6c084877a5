"""Storing, reading and listing tickets in the API."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import Ticket
from review.workflow import decisions
from tests.api.caller import Caller, problem
from tests.factories import configure_review, make_prediction, make_ticket, make_verdict, send_to_review

ODD = {"text": "a\0b \ud800 c", "external_id": "\0\udfff", "customer": "\0", "channel": "\0", "language": "\0"}


def test_a_ticket_is_stored_once_however_often_it_is_sent(lead_api: Caller) -> None:
    sent = {"text": "Where is my invoice?", "source": "zendesk", "external_id": "7", "customer": "jo@example.org"}
    first, again = lead_api.post("/tickets", sent), lead_api.post("/tickets", sent)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first["Location"] == first.json()["url"]
    read = lead_api.get(f"/tickets/{first.json()['id']}").json()
    assert {name: read[name] for name in sent} == sent
    assert read["state"] == "new"
    problem(lead_api.post("/tickets", sent | {"text": "Another text"}), 409, "text-conflict")
    assert Ticket.objects.count() == 1


def test_tickets_without_an_external_id_are_all_stored(lead_api: Caller) -> None:
    assert [lead_api.post("/tickets", {"text": "Hello"}).status_code for _time in range(2)] == [201, 201]
    assert Ticket.objects.count() == 2


def test_good_rows_are_stored_and_each_bad_row_is_named(lead_api: Caller) -> None:
    existing = make_ticket("One", source="api", external_id="1")
    rows: list[Any] = [
        {"text": "One", "external_id": "1"},
        {"text": "Another", "external_id": "1"},
        {"text": " "},
        "no object",
        {"text": "Two", "external_id": "2"},
        {"text": "Two", "external_id": "2"},
        {"text": "Three", "due_at": "tomorrow", "tetx": "?"},
        ODD,
    ]
    answer = lead_api.post("/tickets/bulk", {"tickets": rows}).json()
    assert [result["outcome"] for result in answer["results"]] == [
        *("existing", "rejected", "rejected", "rejected", "stored", "existing", "rejected", "stored")
    ]
    assert (answer["stored"], answer["existing"], answer["rejected"]) == (2, 2, 4)
    assert answer["results"][0]["id"] == existing.pk
    assert answer["results"][4]["id"] == answer["results"][5]["id"]
    pointers = [[error["pointer"] for error in result["errors"] or []] for result in answer["results"]]
    assert pointers[1:4] == [["/external_id"], ["/text"], [""]]
    assert pointers[6] == ["/due_at", "/tetx"]
    assert Ticket.objects.get(pk=answer["results"][7]["id"]).text == "a\ufffdb \ufffd c"


def test_too_many_rows_are_refused_together(lead_api: Caller) -> None:
    refusal = problem(lead_api.post("/tickets/bulk", {"tickets": [{"text": "x"}] * 1_001}), 422, "invalid")
    assert refusal["errors"] == [
        {
            "in": "body",
            "pointer": "/tickets",
            "detail": "List should have at most 1000 items after validation, not 1001",
        }
    ]
    assert not Ticket.objects.exists()


def test_paging_by_cursor_misses_nothing(lead_api: Caller) -> None:
    made = [make_ticket(f"Ticket {number}", source="b" if number % 2 else "a").pk for number in range(7)]
    seen: list[int] = []
    url = "/tickets"
    query: dict[str, Any] = {"limit": 3}
    while True:
        answer = lead_api.get(url, **query)
        seen += [ticket["id"] for ticket in answer.json()["items"]]
        assert (answer.json()["next"] is None) is ("Link" not in answer)
        if answer.json()["next"] is None:
            break
        assert f"cursor={answer.json()['next']}" in answer["Link"]
        query["cursor"] = answer.json()["next"]
    assert seen == made[::-1]
    assert [ticket["id"] for ticket in lead_api.get("/tickets", source="b").json()["items"]] == made[5::-2]


def test_a_list_is_narrowed_by_state_and_time(lead_api: Caller) -> None:
    configure_review()
    old = make_ticket("Old", received_at=datetime(2020, 1, 1, tzinfo=UTC))
    held = make_ticket("Held")
    send_to_review(held)
    assert [ticket["id"] for ticket in lead_api.get("/tickets", state="new").json()["items"]] == [old.pk]
    assert [ticket["id"] for ticket in lead_api.get("/tickets", since="2021-01-01T00:00:00+02:00").json()["items"]] == [
        held.pk
    ]
    for wrong in ({"state": "gone"}, {"since": "2021-01-01"}, {"cursor": "bm8"}, {"cursor": "\0"}, {"limit": 0}):
        problem(lead_api.get("/tickets", **wrong), 422, "invalid")
    assert lead_api.get("/tickets", source="\0").json()["items"] == []


def test_a_tickets_effective_label_is_returned(lead_api: Caller) -> None:
    prediction = make_prediction(make_ticket())
    make_verdict(prediction)
    Ticket.objects.update(state=Ticket.State.AUTO_ACCEPTED)
    read = lead_api.get(f"/tickets/{prediction.ticket_id}").json()
    label = {
        "category": prediction.category.name,
        "further_categories": [],
        "sentiment": prediction.sentiment.name,
        "by": "model",
        "confidence": 0.9,
        "attributes": {},
    }
    assert read["label"] == label
    (listed,) = lead_api.get(f"/tickets/{prediction.ticket_id}/predictions").json()["items"]
    assert (listed["category"], listed["reasoning"]) == (prediction.category.name, "Because.")


def test_a_sealed_ticket_reveals_no_predictions(lead_api: Caller) -> None:
    configure_review(blind_share=1)
    (assignment,) = send_to_review(make_ticket(), reasoning="It is about a secret.")
    assert assignment.ticket.__class__.objects.get().sealed
    for path in ("", "/predictions", "/decisions"):
        answer = lead_api.get(f"/tickets/{assignment.ticket_id}{path}")
        assert answer.json()["sealed"] is True
        assert "secret" not in answer.content.decode()
        assert answer.json().get("items", []) == []
    assert lead_api.get("/tickets").json()["items"][0]["label"] is None


def test_lists_cost_the_same_number_of_queries_however_long_they_are(lead_api: Caller) -> None:
    configure_review()
    numbers = {}
    for length, more in ((3, 3), (30, 27)):
        decisions.decide_many(
            send_to_review(*[make_ticket(f"{length} {number}") for number in range(more)]), lead_api.key.user
        )
        lead_api.get("/models")  # its use is written down now, and not again for a minute
        for path in ("/tickets", "/decisions"):
            with CaptureQueriesContext(connection) as queries:
                assert len(lead_api.get(path).json()["items"]) == length
            numbers[path, length] = len(queries)
    assert numbers["/tickets", 3] == numbers["/tickets", 30] <= 12
    assert numbers["/decisions", 3] == numbers["/decisions", 30] <= 12
