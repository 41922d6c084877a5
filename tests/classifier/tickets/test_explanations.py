"""How the ticket page explains a model's answer."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import Category, LanguageModel, Ticket
from classifier.taxonomy import label_changes
from tests.factories import configure_review, make_example, make_prediction, make_ticket, make_version, send_to_review

pytestmark = pytest.mark.usefixtures("catalogue")

TEXT = "<b>I</b> was charged twice, again charged."
CHARGED, TWICE, AGAIN = [13, 20], [21, 26], [34, 41]


@pytest.fixture
def agent_client(client: Client, ana: User) -> Client:
    configure_review()
    client.force_login(ana)
    return client


def parts(client: Client, ticket: Ticket) -> list[str]:
    """The page up to the history, and the history."""
    content = client.get(ticket.get_absolute_url()).content.decode()
    return content.split("<h2>History</h2>")


def other_language_model() -> LanguageModel:
    return LanguageModel.objects.exclude(pk=LanguageModel.objects.zero_shot().pk)[0]


def test_the_words_of_the_current_prediction_are_marked_in_the_text(agent_client: Client) -> None:
    ticket = make_ticket(TEXT)
    make_prediction(ticket, language_model=other_language_model(), words=[[9, 12]])
    send_to_review(ticket, words=[TWICE, CHARGED, AGAIN])
    about, _history = parts(agent_client, ticket)
    assert (
        "&lt;b&gt;I&lt;/b&gt; was <mark>charged</mark> <mark>twice</mark>, again <mark>charged</mark>.</div>" in about
    )
    assert f"the words that most influenced {LanguageModel.objects.zero_shot()}" in about


def test_a_text_without_decisive_words_shows_no_highlights(agent_client: Client) -> None:
    ticket = make_ticket(TEXT)
    send_to_review(ticket)
    page = "".join(parts(agent_client, ticket))
    assert "<mark>" not in page
    assert "carried" not in page


def test_each_prediction_of_the_history_shows_its_own_words_once(agent_client: Client) -> None:
    ticket = make_ticket(TEXT)
    send_to_review(ticket, words=[CHARGED, TWICE, AGAIN])
    make_prediction(ticket, language_model=other_language_model(), words=[[0, 3]])
    _about, history = parts(agent_client, ticket)
    highlighted = [re.findall(r"<mark><bdi>(.*?)</bdi></mark>", event) for event in history.split("<li>")]
    assert [words for words in highlighted if words] == [["charged", "twice"], ["&lt;b&gt;"]]


def test_the_nearest_labelled_tickets_are_linked_in_their_order(agent_client: Client) -> None:
    near, nearest, ticket = make_ticket("Near."), make_ticket("Nearest."), make_ticket(TEXT)
    examples = [make_example("Nearest.", ticket=nearest), make_example("Imported."), make_example("Near.", ticket=near)]
    itself = make_example(TEXT, ticket=ticket)
    send_to_review(ticket, near=[itself.pk, *(example.pk for example in examples), 999_999])
    _about, history = parts(agent_client, ticket)
    (links,) = re.findall(r"Nearest labelled tickets: (.*?)</p>", history)
    assert re.findall(r'<a href="(.*?)">(.*?)</a>', links) == [
        (nearest.get_absolute_url(), f"#{nearest.pk}"),
        (near.get_absolute_url(), f"#{near.pk}"),
    ]


def test_the_nearest_of_all_predictions_cost_one_query(agent_client: Client, django_assert_num_queries: Any) -> None:
    near = [make_example(f"Near {number}.", ticket=make_ticket(f"Near {number}.")) for number in range(3)]
    plain, grounded = make_ticket(TEXT), make_ticket(f"{TEXT} Again.")
    language_models = list(LanguageModel.objects.all()[:3])
    for language_model, example in zip(language_models, near, strict=True):
        make_prediction(plain, language_model=language_model)
        make_prediction(grounded, language_model=language_model, near=[example.pk], words=[CHARGED])
    # Session, user, ticket, verdicts, four for the history, gate.
    with django_assert_num_queries(9):
        parts(agent_client, plain)
    with django_assert_num_queries(10):
        assert parts(agent_client, grounded)[1].count("Nearest labelled tickets") == 3


def test_the_history_shows_the_specialist_version_that_answered(agent_client: Client) -> None:
    ticket = make_ticket(TEXT)
    version = make_version()
    send_to_review(ticket, version=version)
    make_prediction(ticket, language_model=other_language_model())
    _about, history = parts(agent_client, ticket)
    assert history.count("specialist version") == 1
    assert f"specialist version {version.pk}" in history


def test_sealed_tickets_show_no_words_neighbours_or_versions(agent_client: Client) -> None:
    configure_review(blind_share=1)
    near = make_ticket("Near.")
    ticket = make_ticket(TEXT)
    version = make_version()
    send_to_review(ticket, words=[CHARGED], near=[make_example("Near.", ticket=near).pk], version=version)
    page = "".join(parts(agent_client, ticket))
    for secret in ("<mark>", "Influential", "Nearest", near.get_absolute_url(), "specialist version"):
        assert secret not in page, secret


def test_tickets_to_be_classified_again_lose_their_highlights(agent_client: Client) -> None:
    ticket = make_ticket(TEXT)
    send_to_review(ticket, words=[CHARGED], category=Category.objects.get(name="Billing"))
    label_changes.classify_again(Ticket.objects.all())
    about, history = parts(agent_client, ticket)
    assert "<mark>" not in about
    assert "<mark>" in history
