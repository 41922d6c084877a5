"""Highlighted words and similar solved tickets on the review screen: who sees them, and when they stay hidden."""

import re
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.embeddings import nearest_examples
from classifier.models import Category, Example, Sentiment, Ticket
from review.models import Assignment
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.factories import configure_review, make_example, make_ticket, make_vector, send_to_review

pytestmark = pytest.mark.usefixtures("catalogue")

SCREEN, WORK = reverse("review:screen"), reverse("review:lead_screen")
HTMX = {"HX-Request": "true"}
TEXT = "<i>I</i> was charged twice."
CHARGED, TWICE = [13, 20], [21, 26]


@pytest.fixture(autouse=True)
def single_reviews(catalogue: None) -> None:
    configure_review()
    nearest_examples.invalidate_index()


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def message(client: Client, url: str = SCREEN) -> str:
    """The HTML of the ticket's text on the screen."""
    (message,) = re.findall(r'<div class="text"[^>]*>(.*?)</div>', client.get(url).content.decode(), re.DOTALL)
    return str(message)


def address(assignment: Assignment) -> str:
    return reverse("review:similar", args=[assignment.pk])


def similar(client: Client, assignment: Assignment) -> str:
    """The fragment that the screen loads."""
    response = client.get(address(assignment), headers=HTMX)
    assert response.status_code == 200
    return response.content.decode()


def links(content: str) -> list[str]:
    return re.findall(r'<a class="beginning" href="([^"]+)"', content)


def open_assignment(client: Client, *, near: list[Example], **values: Any) -> Assignment:
    """An assignment that this person has open, whose model named these examples."""
    (assignment,) = send_to_review(make_ticket(TEXT), near=[example.pk for example in near], **values)
    client.get(SCREEN)
    return assignment


# Words


def test_words_behind_the_suggestion_are_highlighted(agent_client: Client) -> None:
    send_to_review(make_ticket(TEXT), words=[TWICE, CHARGED])
    assert message(agent_client) == "&lt;i&gt;I&lt;/i&gt; was <mark>charged</mark> <mark>twice</mark>."


def test_highlights_are_limited_to_the_shown_part_of_a_long_text(agent_client: Client) -> None:
    send_to_review(make_ticket("x" * 30_000), words=[[19_998, 20_500], [25_000, 25_004]])
    shown = message(agent_client)
    assert re.findall("<mark>(.*?)</mark>", shown) == ["xx"]
    assert "Show 10" in shown


def test_agreeing_models_highlight_the_words_of_the_shown_one(agent_client: Client) -> None:
    send_to_review(make_ticket(TEXT), words=[TWICE], category=category("Billing"), second=category("Billing"))
    assert "<mark>twice</mark>" in message(agent_client)


def test_disagreeing_models_highlight_nothing(agent_client: Client) -> None:
    send_to_review(make_ticket(TEXT), words=[TWICE], category=category("Billing"), second=category("Technical"))
    assert "<mark>" not in agent_client.get(SCREEN).content.decode()


def test_blind_review_highlights_nothing(agent_client: Client) -> None:
    configure_review(blind_share=1)
    send_to_review(make_ticket(TEXT), words=[TWICE])
    content = agent_client.get(SCREEN).content.decode()
    assert "charged twice." in content
    assert "<mark>" not in content


def test_adjudication_shows_no_highlights_and_no_similar_tickets(
    agent_client: Client, ana: User, ben: User, lea: User
) -> None:
    configure_review(double_share=1)
    first, second = send_to_review(make_ticket(TEXT), words=[TWICE], near=[make_example("Solved before.").pk])
    tone = Sentiment.objects.get(name="Neutral")
    decisions.decide(first, ana, Label(category("Billing"), tone), key=uuid4())
    decisions.decide(second, ben, Label(category("Technical"), tone), key=uuid4())
    agent_client.force_login(lea)
    content = agent_client.get(WORK).content.decode()
    assert "Two agents labelled this" in content
    assert "<mark>" not in content
    assert "similar" not in content
    assert agent_client.get(address(Assignment.objects.open().get())).status_code == 404


def test_highlighting_shortcut_is_shown_in_the_help_and_on_the_screen(agent_client: Client) -> None:
    send_to_review(make_ticket())
    content = agent_client.get(SCREEN).content.decode()
    assert "<dt><kbd>h</kbd></dt>" in content
    assert "Highlight words <kbd>h</kbd>" in content


# Similar tickets


def test_similar_tickets_are_shown_with_their_labels_nearest_first(agent_client: Client) -> None:
    near = [
        make_example("Charged 2x!", category="Billing", sentiment="Negative", ticket=make_ticket("Charged 2x!")),
        make_example("<b>Imported</b> without a ticket.", category="General", sentiment="Neutral"),
        make_example(
            "Refund, please.", category="Billing", sentiment="Positive", ticket=make_ticket("Refund, please.")
        ),
    ]
    content = similar(agent_client, open_assignment(agent_client, near=near))
    assert links(content) == [near[0].ticket.get_absolute_url(), near[2].ticket.get_absolute_url()]
    expected = [
        "Charged 2x!", "Billing", "Negative",
        "&lt;b&gt;Imported&lt;/b&gt; without a ticket.", "General", "Neutral",
        "Refund, please.", "Billing", "Positive",
    ]  # fmt: skip
    shown = re.findall(r'<(?:a|span) class="(?:beginning|label|label sentiment)"[^>]*>(.*?)</(?:a|span)>', content)
    assert shown == expected
    assert "<html" not in content


def test_similar_tickets_are_loaded_later_or_linked_without_javascript(agent_client: Client) -> None:
    assignment = open_assignment(agent_client, near=[make_example("Solved before.")])
    content = agent_client.get(SCREEN).content.decode()
    assert "Solved before." not in content
    assert f'hx-get="{address(assignment)}" hx-trigger="load"' in content
    assert f'<noscript><a href="{address(assignment)}">' in content
    page = agent_client.get(address(assignment)).content.decode()
    assert "<html" in page
    assert "Solved before." in page
    assert f'href="{SCREEN}"' in page


def test_similar_tickets_with_long_texts_show_an_excerpt(agent_client: Client) -> None:
    content = similar(agent_client, open_assignment(agent_client, near=[make_example("word " * 20_000)]))
    assert len(content) < 1_500


def test_examples_of_the_second_opinion_are_shown_if_the_first_model_named_none(agent_client: Client) -> None:
    (assignment,) = send_to_review(make_ticket(TEXT), category=category("Billing"), second=category("Technical"))
    agent_client.get(SCREEN)
    assignment.ticket.predictions.filter(category__name="Technical").update(near=[make_example("Solved before.").pk])
    assert "Solved before." in similar(agent_client, assignment)


def test_ticket_is_never_similar_to_itself(agent_client: Client) -> None:
    assignment = open_assignment(agent_client, near=[])
    itself, other = (
        make_example(TEXT, ticket=assignment.ticket),
        make_example("Another.", ticket=make_ticket("Another.")),
    )
    assignment.ticket.predictions.update(near=[itself.pk, other.pk])
    assert links(similar(agent_client, assignment)) == [other.ticket.get_absolute_url()]


def test_sealed_tickets_are_not_shown_as_similar(agent_client: Client) -> None:
    sealed = make_ticket("Asked about again.", sealed=True)
    assignment = open_assignment(
        agent_client, near=[make_example("Asked about again.", ticket=sealed), make_example("Solved before.")]
    )
    content = similar(agent_client, assignment)
    assert "Asked about again." not in content
    assert "Solved before." in content


def test_deleted_examples_are_not_shown_as_similar(agent_client: Client) -> None:
    gone, there = make_example("Gone."), make_example("Still there.")
    assignment = open_assignment(agent_client, near=[gone, there])
    gone.delete()
    content = similar(agent_client, assignment)
    assert "Still there." in content
    assert content.count("<li>") == 1


def axis(*shares: float) -> Any:
    """A vector with these first components."""
    vector = np.zeros(384, np.float32)
    vector[: len(shares)] = shares
    return vector


def test_similar_tickets_are_found_by_embedding_if_the_model_named_none(agent_client: Client) -> None:
    assignment = open_assignment(agent_client, near=[])
    own = make_example(TEXT, ticket=assignment.ticket)
    for example, vector in [
        (own, axis(1)),
        (make_example("far"), axis(0, 0, 1)),
        (make_example("nearest"), axis(1, 0.1)),
        (make_example("opposite"), axis(-1)),
        (make_example("near"), axis(1, 0.8)),
    ]:
        make_vector(example.text, vector)
    excerpts = re.findall(r'<span class="beginning"[^>]*>(.*?)</span>', similar(agent_client, assignment))
    assert excerpts == ["nearest", "near", "far"]


def test_a_text_without_an_embedding_has_no_similar_tickets_and_is_not_encoded(
    agent_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vector(make_example("Solved before.").text, axis(1))
    assignment = open_assignment(agent_client, near=[])
    monkeypatch.setattr("classifier.embeddings.vector_store.embeddings_for", None)
    monkeypatch.setattr("classifier.embeddings.encoders.load", None)
    assert similar(agent_client, assignment).strip() == ""
    assert "No similar solved tickets." in agent_client.get(address(assignment)).content.decode()


def test_similar_tickets_are_shown_only_to_the_holder(agent_client: Client, ben: User, tom: User) -> None:
    assignment = open_assignment(agent_client, near=[make_example("Solved before.")])
    other = Client()
    for person, status in ((ben, 404), (tom, 403)):
        other.force_login(person)
        assert other.get(address(assignment), headers=HTMX).status_code == status
    assert agent_client.get(reverse("review:similar", args=[assignment.pk + 1]), headers=HTMX).status_code == 404
    Assignment.objects.filter(pk=assignment.pk).update(reviewer=ben)
    assert agent_client.get(address(assignment), headers=HTMX).status_code == 404


@pytest.mark.parametrize("shares", [{"blind_share": 1}, {"double_share": 1}])
def test_a_blind_review_shows_no_similar_tickets_and_no_space_for_them(
    agent_client: Client, shares: dict[str, float]
) -> None:
    configure_review(**shares)
    send_to_review(make_ticket(TEXT), near=[make_example("Solved before.").pk])
    content = agent_client.get(SCREEN).content.decode()
    assignment = Assignment.objects.get(reviewer__username="ana")
    assert "similar" not in content
    for headers in ({}, HTMX):
        assert agent_client.get(address(assignment), headers=headers).status_code == 404


@pytest.mark.parametrize("number", [1, 3])
def test_similar_tickets_take_as_many_queries_for_any_number(
    agent_client: Client, number: int, django_assert_num_queries: Any
) -> None:
    near = [make_example(f"Solved {place}.", ticket=make_ticket(f"Solved {place}.")) for place in range(number)]
    assignment = open_assignment(agent_client, near=near)
    # Session, person, assignment with ticket, named examples, examples.
    with django_assert_num_queries(5):
        assert similar(agent_client, assignment).count("<li>") == number


def test_similar_tickets_by_embedding_take_one_extra_query(
    agent_client: Client, django_assert_num_queries: Any
) -> None:
    assignment = open_assignment(agent_client, near=[])
    make_vector(assignment.ticket.text, axis(1))
    make_vector(make_example("Solved before.").text, axis(1, 0.1))
    assert "Solved before." in similar(agent_client, assignment)
    # The text's embedding; the example index is refreshed every 30 seconds.
    with django_assert_num_queries(6):
        similar(agent_client, assignment)


def test_decision_does_not_search_for_similar_tickets(agent_client: Client, django_assert_max_num_queries: Any) -> None:
    near = [make_example(f"Solved {number}.").pk for number in range(3)]
    tickets = Ticket.objects.bulk_create([Ticket(text=f"{TEXT} {number}") for number in range(3)])
    send_to_review(*tickets, near=near, words=[TWICE])
    page = agent_client.get(SCREEN)
    labels = {"category": page.context["card"].chosen.category, "sentiment": page.context["card"].chosen.sentiment}
    answer = {"key": str(uuid4()), "display_token": page.context["card"].token, "lane": "agents"} | labels
    with django_assert_max_num_queries(36) as asked:
        content = agent_client.post(reverse("review:decide"), answer, headers=HTMX).content.decode()
    assert "<mark>twice</mark>" in content
    assert not [query["sql"] for query in asked.captured_queries if "classifier_example" in query["sql"]]
