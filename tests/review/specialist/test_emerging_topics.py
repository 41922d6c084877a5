"""What many tickets share that no category names is shown, and can become a category that is tried before it counts."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier.embeddings import vector_store
from classifier.learning.heads import Family, Head
from classifier.learning.linear import Correction
from classifier.learning.weights import SpecialistWeights, dump
from classifier.learning.word_features import WordModel
from classifier.models import Category, Draft, DraftLabel, Reason, Sentiment, Ticket, Verdict
from classifier.taxonomy import drafts
from review.gold import gold_labels
from review.models import GoldLabel, Side
from tests.factories import configure_review, make_prediction, make_ticket, make_verdict, make_version, send_to_review

pytestmark = pytest.mark.usefixtures("catalogue")

INSURANCE = [
    "I need proof of insurance for my car",
    "Please send me the insurance proof for my second car",
    "Could I get a copy of my car insurance certificate?",
    "My car was damaged, how do I make an insurance claim?",
    "The insurance certificate of my car has expired",
    "I want to insure another car, what does the insurance cost?",
]
SEATS = [
    "I would like a window seat on my flight",
    "Can you change my seat assignment to an aisle seat?",
    "Change my seat on tomorrow's flight, please",
    "Which seat is assigned to me on the flight?",
    "I want to sit at the window on my flight",
]
ODD = ["The soup was cold", "Your logo is very blue", "Is it going to rain in spring?"]


@pytest.fixture
def office(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def doubted(*texts: str, **values: Any) -> list[Ticket]:
    """Tickets that a model was unsure of, with their vectors."""
    configure_review()
    tickets = [make_ticket(text) for text in texts]
    send_to_review(*tickets, confidence=0.3, **values)
    vector_store.embeddings_for(texts)
    return tickets


def page(client: Client, name: str = "emerging_topics", *args: int) -> str:
    response = client.get(reverse(f"review:{name}", args=args))
    assert response.status_code == 200
    return response.content.decode()


def topic_of(client: Client, ticket: Ticket) -> Any:
    return client.get(reverse("review:topic", args=[ticket.pk]))


def sent(**values: str) -> dict[str, str]:
    return {
        "name": "Insurance",
        "description": "Car insurance: policies, certificates, proof of insurance, claims.",
        "examples": "I need proof of insurance\nA claim for my damaged car",
    } | values


def draft(client: Client, ticket: Ticket) -> DraftLabel:
    response = client.post(reverse("review:draft_topic", args=[ticket.pk]), sent())
    label = DraftLabel.objects.get(name="Insurance")
    assert response["Location"] == reverse("review:drafted_category", args=[label.pk])
    return label


def test_similar_uncertain_tickets_form_a_topic_with_words_and_texts(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE, *SEATS, *ODD)
    emerging = lead_client.get(reverse("review:emerging_topics")).context["emerging"]
    assert [topic.number for topic in emerging.topics] == [len(INSURANCE), len(SEATS)]
    assert {"insurance", "car"} <= set(emerging.topics[0].words)
    shown = page(lead_client)
    assert "3 belong to no topic" in shown
    assert reverse("review:topic", args=[emerging.topics[0].pk]) in shown
    assert tickets[0].get_absolute_url() in shown
    assert ODD[0] not in shown


def test_hostile_ticket_text_is_escaped_on_the_topic_pages(lead_client: Client) -> None:
    doubted(*(f"<script>alert(1)</script> {text}" for text in INSURANCE))
    assert "<script>alert" not in page(lead_client)
    assert "&lt;script&gt;alert(1)" in page(lead_client)


def test_tickets_outside_the_taxonomy_belong_to_topics(lead_client: Client) -> None:
    doubted(*INSURANCE[:-1])
    last = make_ticket(INSURANCE[-1])
    vector_store.embeddings_for([last.text])
    verdict = make_verdict(make_prediction(last))
    Verdict.objects.filter(pk=verdict.pk).update(auto_accepted=False, reason=Reason.OUT_OF_TAXONOMY)
    Ticket.objects.filter(pk=last.pk).update(state=Ticket.State.NEEDS_REVIEW)
    assert topic_of(lead_client, last).context["topic"].number == len(INSURANCE)


def test_tickets_that_a_model_was_sure_of_belong_to_no_topic(lead_client: Client) -> None:
    tickets = [make_ticket(text) for text in INSURANCE]
    vector_store.embeddings_for(INSURANCE)
    for ticket in tickets:
        make_verdict(make_prediction(ticket, confidence=0.95))
    Ticket.objects.update(state=Ticket.State.AUTO_ACCEPTED)
    assert "models are confident" in page(lead_client)


def test_sealed_tickets_do_not_appear_in_topics(lead_client: Client) -> None:
    doubted(*INSURANCE)
    configure_review(blind_share=1)
    sealed = [make_ticket(f"{text}, please") for text in INSURANCE]
    send_to_review(*sealed, confidence=0.3, category=Category.objects.get(name="Technical"))
    vector_store.embeddings_for([ticket.text for ticket in sealed])
    (topic,) = lead_client.get(reverse("review:emerging_topics")).context["emerging"].topics
    assert not {ticket.pk for ticket in sealed} & set(topic.tickets)
    content = page(lead_client) + page(lead_client, "topic", topic.pk)
    assert not [ticket for ticket in sealed if ticket.get_absolute_url() in content]
    assert "Technical" not in content
    assert topic_of(lead_client, sealed[0]).status_code == 302


def test_the_page_counts_tickets_without_a_vector(lead_client: Client) -> None:
    doubted(*INSURANCE)
    send_to_review(make_ticket("Nobody has read this one yet"), confidence=0.3)
    assert "1 more has not been read yet" in page(lead_client)


def test_an_empty_installation_has_no_topics(lead_client: Client) -> None:
    assert "models are confident" in page(lead_client)


@pytest.mark.parametrize("name", ["emerging_topics", "topic"])
def test_the_page_costs_the_same_however_many_tickets_there_are(lead_client: Client, name: str) -> None:
    doubted(*INSURANCE)
    few = cost(lead_client, name)
    doubted(*INSURANCE * 10, *SEATS * 5)
    assert cost(lead_client, name) <= few


def cost(client: Client, name: str) -> int:
    """Queries of a page that was looked at before, so that no label is new to the encoder."""
    arguments = [topic_pk(client)] if name == "topic" else []
    page(client, name, *arguments)
    with CaptureQueriesContext(connection) as queries:
        page(client, name, *arguments)
    return len(queries)


def topic_pk(client: Client) -> int:
    return int(client.get(reverse("review:emerging_topics")).context["emerging"].topics[0].pk)


def test_a_category_is_suggested_with_examples_from_the_tickets(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE, *SEATS)
    form = topic_of(lead_client, tickets[0]).context["form"]
    assert "insurance" in form["name"].value().lower()
    assert "car" in form["description"].value()
    assert set(form["examples"].value().splitlines()) <= set(INSURANCE)


def test_addresses_are_masked_in_the_examples(lead_client: Client) -> None:
    tickets = doubted(*(f"{text}. Write to bob@example.org" for text in INSURANCE))
    examples = topic_of(lead_client, tickets[0]).context["form"]["examples"].value()
    assert "[email]" in examples
    assert "bob@" not in examples


def test_suggested_examples_contain_no_benchmark_texts(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE)
    held_out = topic_of(lead_client, tickets[0]).context["form"]["examples"].value().splitlines()[0]
    label = GoldLabel(
        text=held_out,
        digest=GoldLabel.digest_of(held_out),
        category=Category.objects.get(name="General"),
        sentiment=Sentiment.objects.get(name="Neutral"),
        origin=GoldLabel.Origin.IMPORT,
    )
    gold_labels.add_gold_labels([label], {label.digest: Side.BENCHMARK})
    examples = topic_of(lead_client, tickets[0]).context["form"]["examples"].value().splitlines()
    assert examples
    assert held_out not in examples


def test_the_preview_groups_moved_tickets_by_current_category(lead_client: Client) -> None:
    billing, technical = Category.objects.get(name="Billing"), Category.objects.get(name="Technical")
    tickets = doubted(*INSURANCE[:4], category=billing)
    tickets += doubted(*INSURANCE[4:], category=technical)
    doubted(*SEATS, category=technical)
    taking = topic_of(lead_client, tickets[0]).context["preview"]
    rows = {row.name: row for row in taking.rows}
    assert (rows["Billing"].moved, rows["Billing"].tickets) == (4, 4)
    assert rows["Technical"].tickets == 7
    assert {example.text for example in rows["Technical"].examples[:2]} == set(INSURANCE[4:])
    assert taking.of_topic == len(INSURANCE)
    assert "4 of 4" in page(lead_client, "topic", tickets[0].pk)


def test_previewing_another_description_changes_nothing(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE, *SEATS)
    about_seats = sent(name="Seats", description="Seats on a flight.", examples="\n".join(SEATS))
    response = lead_client.post(reverse("review:topic", args=[tickets[0].pk]), about_seats)
    (row,) = response.context["preview"].rows
    assert {example.text for example in row.examples} <= set(SEATS)
    assert b"Seats on a flight." in response.content
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "billing"}, "A category with this name already exists"),
        ({"name": "Billing > Insurance"}, "separates a category from its parent"),
        ({"examples": "one\n" * 21}, "At most 20 lines"),
        ({"examples": "long " * 200}, "At most 20 lines"),
    ],
)
@pytest.mark.parametrize("door", ["topic", "draft_topic"])
def test_an_invalid_category_is_refused_with_the_reason(
    office: Client, door: str, values: dict[str, str], message: str
) -> None:
    tickets = doubted(*INSURANCE)
    response = office.post(reverse(f"review:{door}", args=[tickets[0].pk]), sent(**values))
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Draft.objects.exists()


def test_an_admin_drafts_a_category_and_nothing_else_changes(office: Client) -> None:
    tickets = doubted(*INSURANCE)
    before = list(Category.objects.values_list("name", flat=True))
    label = draft(office, tickets[0])
    assert (label.draft.published_at, label.category, label.parent) == (None, None, None)
    assert label.examples == sent()["examples"]
    assert list(Category.objects.values_list("name", flat=True)) == before
    shown = page(office, "drafted_category", label.pk)
    assert "not in force yet" in shown
    assert reverse("admin:classifier_draft_publish", args=[label.draft_id]) in shown


def test_a_second_draft_of_the_same_name_gets_a_name_of_its_own(office: Client) -> None:
    tickets = doubted(*INSURANCE)
    for _time in range(2):
        office.post(reverse("review:draft_topic", args=[tickets[0].pk]), sent())
    assert Draft.objects.open().count() == 2


def test_a_lead_sees_the_preview_but_cannot_draft(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE)
    assert reverse("review:draft_topic", args=[tickets[0].pk]) not in page(lead_client, "topic", tickets[0].pk)
    assert lead_client.post(reverse("review:draft_topic", args=[tickets[0].pk]), sent()).status_code == 403
    assert not Draft.objects.exists()


def test_tickets_are_not_classified_again_before_the_draft_is_published(office: Client) -> None:
    tickets = doubted(*INSURANCE)
    label = draft(office, tickets[0])
    response = office.post(reverse("review:reclassify_for_category", args=[label.pk]), follow=True)
    assert "Publish the draft first" in response.content.decode()
    assert not Ticket.objects.new().exists()


def test_tickets_in_the_preview_are_classified_again_once_the_draft_is_published(office: Client, admin: User) -> None:
    tickets, others = doubted(*INSURANCE), doubted(*SEATS)
    label = draft(office, tickets[0])
    Ticket.objects.filter(pk=tickets[1].pk).update(
        state=Ticket.State.SETTLED, category=Category.objects.first(), sentiment=Sentiment.objects.first()
    )
    drafts.publish(label.draft, admin)
    assert "Reclassify them" in page(office, "drafted_category", label.pk)
    response = office.post(reverse("review:reclassify_for_category", args=[label.pk]), follow=True)
    assert "5 tickets will be classified again" in response.content.decode()
    assert set(Ticket.objects.new()) == {*tickets} - {tickets[1]}
    assert not {*others} & {*Ticket.objects.new()}
    assert "Reclassify them" not in page(office, "drafted_category", label.pk)


def test_tickets_that_already_have_the_category_are_not_in_the_preview(office: Client, admin: User) -> None:
    tickets = doubted(*INSURANCE)
    label = draft(office, tickets[0])
    drafts.publish(label.draft, admin)
    label.refresh_from_db()
    doubted(*(f"{text}!" for text in INSURANCE), category=label.category)
    taking = office.get(reverse("review:drafted_category", args=[label.pk])).context["preview"]
    assert sorted(taking.open) == sorted(ticket.pk for ticket in tickets)


def test_a_draft_that_cannot_be_published_says_why(office: Client) -> None:
    tickets = doubted(*INSURANCE)
    label = draft(office, tickets[0])
    Category.objects.create(name="Insurance")
    shown = page(office, "drafted_category", label.pk)
    assert 'class="error"' in shown
    assert reverse("admin:classifier_draft_publish", args=[label.draft_id]) not in shown


def test_an_existing_category_in_a_draft_has_no_preview(office: Client, admin: User) -> None:
    label = drafts.create("Same", admin).labels.filter(axis="category").first()
    assert office.get(reverse("review:drafted_category", args=[label.pk])).status_code == 404


def test_a_topic_that_no_longer_exists_redirects_to_the_list(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE)
    Ticket.objects.update(state=Ticket.State.NEW)
    response = lead_client.get(reverse("review:topic", args=[tickets[0].pk]), follow=True)
    assert "no longer exists" in response.content.decode()


def test_the_topic_pages_work_with_a_missing_encoder(lead_client: Client, settings: Settings) -> None:
    settings.ENCODER_FILE = "/nothing/here.onnx"
    assert lead_client.get(reverse("review:emerging_topics")).status_code == 200


def serve(learned: bytes, sha256: str = "") -> None:
    make_version(live=True, weights=learned, sha256=sha256 or hashlib.sha256(learned).hexdigest())


def test_the_preview_uses_what_the_live_specialist_has_learned(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE, *SEATS)
    before = topic_of(lead_client, tickets[0]).context["preview"].of_topic
    learned = replace(
        Head.untrained(),
        keys=np.array([Category.objects.get(name="Billing").pk]),
        families={
            name: Family(
                np.zeros(vectors.shape[1], np.float32),
                100 * vectors.sum(axis=0, keepdims=True),
                np.zeros((1, vectors.shape[1]), np.float32),
                Correction.none(1, vectors.shape[1]),
            )
            for name, vectors in vector_store.embeddings_for(INSURANCE).by_encoder.items()
        },
        words=WordModel([], np.zeros(0, np.float32), np.zeros((1, 0), np.float32), np.zeros(1, np.float32)),
    )
    serve(dump(SpecialistWeights(category=learned, sentiment=Head.untrained(), novelty_thresholds={})))
    assert topic_of(lead_client, tickets[0]).context["preview"].of_topic < before == len(INSURANCE)


def test_the_preview_falls_back_to_descriptions_if_weights_are_unreadable(lead_client: Client) -> None:
    tickets = doubted(*INSURANCE)
    serve(b"these are no weights", sha256="0" * 64)
    assert topic_of(lead_client, tickets[0]).context["preview"].of_topic == len(INSURANCE)
