"""Attributes on the review screen: the suggestion is chosen, people change it, and every way to decide knows them."""

import json
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.models import Attribute, AttributeOption, Category, Sentiment, Ticket
from classifier.privacy import erasure
from classifier.taxonomy import label_changes
from classifier.tickets.attribute_values import AttributeReader
from review.models import Assignment, Decision
from review.screen import bulk
from tests.api.caller import Caller
from tests.factories import configure_review, make_attribute, make_ticket, send_to_review
from tests.review.screen_client import DECIDE, HTMX, SCREEN, UNDO, fields, send, shown

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]

TEXT = "Order A-12345 never came, I want my money back."


@pytest.fixture
def attributes(catalogue: None) -> dict[str, Attribute]:
    return {
        "priority": make_attribute("priority", "one_of", "Low", "High", required=True),
        "refund": make_attribute("refund", "yes_no"),
        "products": make_attribute("products", "several_of", "Lamp", "Desk", "Sofa"),
        "order": make_attribute("order", "text", pattern="A-[0-9]{5}"),
    }


def option(name: str) -> int:
    return int(AttributeOption.objects.get(name=name).pk)


def stored(attributes: dict[str, Attribute], **values: Any) -> dict[str, Any]:
    return {str(attributes[key].pk): value for key, value in values.items()}


def suggestion(attributes: dict[str, Attribute], **changes: Any) -> dict[str, Any]:
    values = {"priority": option("High"), "refund": True, "products": [option("Desk")], "order": "A-12345"}
    return stored(attributes, **values | changes)


def name(attributes: dict[str, Attribute], key: str) -> str:
    return f"attribute_{attributes[key].pk}"


def typed(row: Any) -> dict[str, Any]:
    return AttributeReader([row.attributes]).typed(row.attributes)


def waiting(attributes: dict[str, Attribute], *, text: str = TEXT, second: Any = None, **changes: Any) -> Assignment:
    values = suggestion(attributes, **changes)
    [assignment] = send_to_review(make_ticket(text), attributes=values, second=second)
    return assignment


def test_accepting_takes_every_answer_of_the_model(attributes: dict[str, Attribute], agent_client: Client) -> None:
    configure_review()
    assignment = waiting(attributes)
    send(agent_client, shown(agent_client))
    decision, ticket = Decision.objects.get(), Ticket.objects.get(pk=assignment.ticket_id)
    assert decision.verdict == Decision.Verdict.ACCEPTED
    assert decision.attributes == ticket.attributes == suggestion(attributes)
    page = agent_client.get(ticket.get_absolute_url()).content.decode()
    assert "A-12345" in page


def test_each_answer_can_be_changed_or_left_empty(attributes: dict[str, Attribute], agent_client: Client) -> None:
    configure_review()
    waiting(attributes)
    answer: dict[str, Any] = shown(agent_client)
    changes = {"priority": str(option("Low")), "refund": "", "order": "A-54321"}
    sent = answer | {name(attributes, key): value for key, value in changes.items()}
    sent[name(attributes, "products")] = [str(option("Sofa")), str(option("Lamp"))]
    assert agent_client.post(DECIDE, sent, headers=HTMX).status_code == 200
    assert typed(Decision.objects.get()) == {"priority": "Low", "products": ["Lamp", "Sofa"], "order": "A-54321"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("priority", "", "Answer “Priority”."),
        ("priority", "999", "no longer has this option"),
        ("order", "B-1", "match A-[0-9]{5}"),
        ("order", "A" * 301, "at most 300 characters"),
    ],
)
def test_a_refused_answer_says_why_and_keeps_what_was_entered(
    attributes: dict[str, Attribute], agent_client: Client, key: str, value: str, message: str
) -> None:
    configure_review()
    waiting(attributes)
    response = agent_client.post(DECIDE, shown(agent_client) | {name(attributes, key): value}, headers=HTMX)
    content = response.content.decode()
    assert (response.status_code, Decision.objects.count()) == (422, 0)
    assert message in content
    assert fields(content)[name(attributes, "refund")] == "yes"


def test_a_blind_review_starts_empty(attributes: dict[str, Attribute], agent_client: Client) -> None:
    configure_review(blind_share=1)
    waiting(attributes)
    content = agent_client.get(SCREEN).content.decode()
    sent = fields(content)
    assert (name(attributes, "priority") in sent, sent[name(attributes, "order")]) == (False, "")
    assert "A-12345" not in content.replace(TEXT, "")


def test_attributes_of_other_categories_are_not_stored(attributes: dict[str, Attribute], agent_client: Client) -> None:
    configure_review()
    billing, technical = (Category.objects.get(name=each) for each in ("Billing", "Technical"))
    attributes["priority"].categories.set([billing])
    attributes["order"].categories.set([technical])
    waiting(attributes)
    answer = shown(agent_client)
    answer.pop(name(attributes, "priority"))
    send(agent_client, answer, category=str(technical.pk))
    assert typed(Decision.objects.get()).keys() == {"refund", "products", "order"}


def test_of_two_suggestions_the_chosen_one_brings_its_answers(
    attributes: dict[str, Attribute], agent_client: Client
) -> None:
    configure_review()
    assignment = waiting(attributes, second=Category.objects.get(name="Technical"))
    other = assignment.ticket.predictions.latest("pk")
    type(other).objects.filter(pk=other.pk).update(attributes=suggestion(attributes, priority=option("Low")))
    content = agent_client.get(SCREEN).content.decode()
    answer = fields(content)
    assert name(attributes, "priority") not in answer
    opinion = f"{other.category_id}-{other.sentiment_id} " + json.dumps(
        {attributes["priority"].pk: [str(option("Low"))]}
    )
    send(agent_client, answer, opinion=opinion)
    decision = Decision.objects.get()
    assert (decision.category_id, typed(decision)["priority"]) == (other.category_id, "Low")


def test_undo_opens_the_ticket_without_settled_answers(attributes: dict[str, Attribute], agent_client: Client) -> None:
    configure_review()
    waiting(attributes)
    send(agent_client, shown(agent_client))
    agent_client.post(UNDO, {"key": "00000000-0000-0000-0000-000000000001"}, headers=HTMX)
    assert Ticket.objects.get().attributes == {}
    assert fields(agent_client.get(SCREEN).content.decode())[name(attributes, "order")] == "A-12345"


def two_labels(attributes: dict[str, Attribute], people: list[User], answers: list[dict[str, Any]]) -> Ticket:
    configure_review(double_share=1)
    send_to_review(make_ticket(TEXT), attributes=suggestion(attributes))
    for person, values in zip(people, answers, strict=True):
        client = Client()
        client.force_login(person)
        billing = {"category": str(Category.objects.get(name="Billing").pk), "sentiment": _sentiment()}
        sent = {name(attributes, key): value for key, value in values.items()}
        assert client.post(DECIDE, shown(client) | billing | sent, headers=HTMX).status_code == 200
    return Ticket.objects.get()


def _sentiment() -> str:
    return str(Sentiment.objects.get(name="Neutral").pk)


def test_two_people_who_agree_settle_the_ticket_with_what_either_answered(
    attributes: dict[str, Attribute], ana: User, ben: User
) -> None:
    low = str(option("Low"))
    answers = [{"priority": low, "order": "A-12345"}, {"priority": low, "refund": "no"}]
    ticket = two_labels(attributes, [ana, ben], answers)
    assert typed(ticket) == {"priority": "Low", "refund": False, "order": "A-12345"}


def test_two_people_who_differ_in_an_attribute_need_a_lead_whose_choice_counts(
    attributes: dict[str, Attribute], ana: User, ben: User, lead_client: Client
) -> None:
    answers = [{"priority": str(option(each))} for each in ("Low", "High")]
    ticket = two_labels(attributes, [ana, ben], answers)
    assert ticket.state == Ticket.State.NEEDS_REVIEW
    content = lead_client.get(reverse("review:lead_screen")).content.decode()
    assert content.count("Priority: <bdi>") == 2
    chosen = {"opinion": _first_opinion(content), "lane": "leads"}
    lead_client.post(DECIDE, fields(content) | chosen, headers=HTMX)
    ticket.refresh_from_db()
    assert ticket.state == Ticket.State.SETTLED
    assert typed(ticket)["priority"] in ("Low", "High")


def _first_opinion(content: str) -> str:
    return unescape(content.split('name="opinion" value="')[1].split('"')[0])


def test_an_option_merged_between_two_labels_is_no_disagreement(
    attributes: dict[str, Attribute], ana: User, ben: User
) -> None:
    AttributeOption.objects.create(attribute=attributes["priority"], name="Lowest")
    lowest, low = AttributeOption.objects.get(name="Lowest"), AttributeOption.objects.get(name="Low")
    configure_review(double_share=1)
    send_to_review(make_ticket(TEXT))
    clients = [Client(), Client()]
    for client, person in zip(clients, (ana, ben), strict=True):
        client.force_login(person)
    billing = {"category": str(Category.objects.get(name="Billing").pk), "sentiment": _sentiment()}
    field = name(attributes, "priority")
    clients[0].post(DECIDE, shown(clients[0]) | billing | {field: str(lowest.pk)}, headers=HTMX)
    label_changes.merge(lowest, low)
    clients[1].post(DECIDE, shown(clients[1]) | billing | {field: str(low.pk)}, headers=HTMX)
    assert typed(Ticket.objects.get()) == {"priority": "Low"}


def test_bulk_takes_each_tickets_own_answers_and_leaves_out_what_lacks_a_required_one(
    attributes: dict[str, Attribute], ana: User
) -> None:
    configure_review()
    full, other = waiting(attributes), waiting(attributes, text="Another one entirely.", order="A-00001")
    lacking = waiting(attributes, text="The third is something else.")
    prediction = lacking.ticket.predictions.get()
    prediction.attributes = stored(attributes, refund=True)
    prediction.save()
    preview = bulk.preview(bulk.selected_assignments(str(each.pk) for each in (full, other, lacking)), ana)
    assert preview.left_out == {bulk.Exclusion.INCOMPLETE: [lacking]}
    assert bulk.accept(preview, ana).number == 2
    assert [typed(ticket)["order"] for ticket in Ticket.objects.filter(state="settled").order_by("pk")] == [
        "A-12345",
        "A-00001",
    ]


def test_near_duplicates_get_the_choices_of_the_decided_ticket_and_texts_of_their_own(
    attributes: dict[str, Attribute], agent_client: Client
) -> None:
    configure_review()
    waiting(attributes)
    twin = waiting(attributes, text=TEXT + " Please!", order="A-00001", refund=False)
    sent = shown(agent_client) | {name(attributes, "priority"): str(option("Low"))}
    agent_client.post(DECIDE, sent, headers=HTMX)
    decided = Decision.objects.get()
    other = Assignment.objects.open().get()
    agent_client.post(reverse("review:duplicates", args=[decided.pk]), {"assignment": [other.pk]})
    copied = Decision.objects.latest("pk")
    assert copied != decided
    assert typed(copied)["priority"] == "Low"
    assert {typed(copied)["order"], typed(decided)["order"]} == {"A-00001", "A-12345"}
    assert twin.ticket_id in (copied.ticket_id, decided.ticket_id)


def test_the_api_records_and_lists_answers_and_refuses_others(
    attributes: dict[str, Attribute], lead_api: Caller
) -> None:
    configure_review()
    assignment = waiting(attributes)
    label = {"ticket": assignment.ticket_id, "category": "Billing", "sentiment": "Neutral"}
    wrong = {"priority": "Now", "order": "B-1", "colour": "red", "refund": True}
    refused = lead_api.post("/decisions", label | {"attributes": wrong})
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {
        f"/attributes/{key}" for key in ("priority", "order", "colour")
    }
    right = {"priority": "High", "refund": False, "products": ["Sofa"], "order": "A-12345"}
    made = lead_api.post("/decisions", label | {"attributes": right})
    assert (made.status_code, made.json()["attributes"]) == (201, right)
    assert lead_api.get(f"/tickets/{assignment.ticket_id}").json()["label"]["attributes"] == right


def test_erasure_reaches_what_people_copied_from_the_text(
    attributes: dict[str, Attribute], agent_client: Client
) -> None:
    configure_review()
    waiting(attributes)
    send(agent_client, shown(agent_client))
    erasure.erase(Ticket.objects.all())
    for row in (Ticket.objects.get(), Decision.objects.get()):
        assert typed(row).keys() == {"priority", "refund", "products"}


def test_attributes_cost_two_more_queries_however_many_options_there_are(catalogue: None, agent_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            send(agent_client, answer)
        return len(captured)

    configure_review()
    send_to_review(make_ticket("One, about a bill."), make_ticket("Two, something else."), make_ticket("Three, again!"))
    answer = shown(agent_client)
    before = queries()
    attribute = make_attribute("machine", "one_of")
    AttributeOption.objects.bulk_create(
        AttributeOption(attribute=attribute, name=f"Machine {number}", position=number) for number in range(1, 501)
    )
    answer = shown(agent_client) | {f"attribute_{attribute.pk}": ""}
    assert queries() == before + 2
