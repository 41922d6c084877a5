"""The pages, as a person's browser asks for them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from classifier import pipeline
from classifier.models import Gate, ModelSpec, Ticket
from classifier.text import LONGEST_TICKET
from tests.factories import make_ticket
from tests.servers import OpenAIServer, answer, say

pytestmark = pytest.mark.usefixtures("catalogue")

INBOX, NEW, MODELS = reverse("classifier:inbox"), reverse("classifier:new_ticket"), reverse("classifier:models")


@pytest.fixture
def agent(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def page(agent: Client, url: str, **query: Any) -> str:
    response = agent.get(url, query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("url", [INBOX, NEW, MODELS, "/tickets/1/"])
def test_a_visitor_is_asked_to_sign_in(client: Client, url: str) -> None:
    response = client.get(url)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("url", [INBOX, NEW, MODELS, "/tickets/1/"])
def test_a_stranger_without_a_role_is_refused(client: Client, tom: User, url: str) -> None:
    client.force_login(tom)
    assert client.get(url).status_code == 403


@pytest.mark.parametrize("url", [INBOX, MODELS, "/tickets/1/"])
def test_pages_that_only_show_take_no_post(agent: Client, url: str) -> None:
    assert agent.post(url).status_code == 405


def test_an_empty_inbox_says_what_to_do(agent: Client) -> None:
    assert "There is no ticket yet" in page(agent, INBOX)


def test_every_page_says_which_key_is_missing(agent: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = make_ticket()
    for url in (INBOX, NEW, MODELS, ticket.get_absolute_url()):
        assert "No key in OXLO_API_KEY: the embedded model answers" in page(agent, url)
    monkeypatch.setenv("OXLO_API_KEY", "sk-secret")
    content = page(agent, MODELS)
    assert "the embedded model answers" not in content
    assert "sk-secret" not in content


def test_before_the_catalogue_is_loaded_pages_say_what_to_run(agent: Client) -> None:
    Gate.objects.all().delete()
    assert "manage.py setup" in page(agent, INBOX)


def test_tabs_show_one_state_each_with_their_numbers(agent: Client) -> None:
    make_ticket("one that waits")
    Ticket.objects.filter(pk=make_ticket("one in review").pk).update(state="held")
    assert "one that waits" in page(agent, INBOX, state="new")
    content = page(agent, INBOX, state="held")
    assert "one in review" in content
    assert "one that waits" not in content


@pytest.mark.parametrize("query", [{"state": "nonsense"}, {"before": "x"}, {"before": "9" * 40}, {"before": "-1"}])
def test_a_mangled_address_shows_the_inbox(agent: Client, query: dict[str, str]) -> None:
    make_ticket("still here")
    assert "still here" in page(agent, INBOX, **query)


def test_the_inbox_is_paged_by_key(agent: Client) -> None:
    tickets = Ticket.objects.bulk_create([Ticket(text=f"ticket no. {number}") for number in range(60)])
    first = page(agent, INBOX)
    assert "ticket no. 59" in first
    assert f"before={tickets[10].pk}" in first
    second = page(agent, INBOX, before=str(tickets[10].pk))
    assert "ticket no. 9<" in second
    assert "Earlier tickets" not in second


@pytest.mark.parametrize("number", [10, 1_000])
def test_the_inbox_costs_the_same_whatever_its_length(
    agent: Client, number: int, django_assert_num_queries: Any
) -> None:
    Ticket.objects.bulk_create([Ticket(text="hello") for _number in range(number)])
    while number == 10 and pipeline.work_off():
        pass
    # Session, user, two of permissions, page, verdicts, four counts, gate, embedded model.
    with django_assert_num_queries(12):
        page(agent, INBOX)


def test_a_stored_ticket_waits_for_no_model(agent: Client, primary: Any) -> None:
    with OpenAIServer() as server:
        primary(server)
        response = agent.post(NEW, {"text": "My printer smokes.", "external_id": ""}, follow=True)
        assert server.requests == []
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.external_id, ticket.state) == ("app", None, "new")
    content = response.content.decode()
    assert "My printer smokes." in content
    assert 'http-equiv="refresh"' in content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "This field is required"),
        ("  \n\t ", "This field is required"),
        ("x" * (LONGEST_TICKET + 1), "a ticket may have 1,048,576"),
    ],
)
def test_a_text_that_cannot_be_taken_is_told_why(agent: Client, text: str, said: str) -> None:
    content = agent.post(NEW, {"text": text}).content.decode()
    assert said in content
    assert not Ticket.objects.exists()


def test_a_megabyte_is_taken_and_shown_in_part(agent: Client) -> None:
    agent.post(NEW, {"text": "x" * LONGEST_TICKET})
    ticket = Ticket.objects.get()
    assert len(ticket.text) == LONGEST_TICKET
    assert "Show the 1028576 characters that follow" in page(agent, ticket.get_absolute_url())
    assert "x" * LONGEST_TICKET in page(agent, ticket.get_absolute_url(), whole="")


def test_an_external_id_is_taken_once(agent: Client) -> None:
    first = make_ticket(external_id="A-1")
    content = agent.post(NEW, {"text": "again", "external_id": "A-1"}).content.decode()
    assert "There is a ticket with this external id already" in content
    assert first.get_absolute_url() in content
    assert "again" in content


def test_a_database_that_cannot_be_written_loses_no_text(agent: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(Ticket, "save", full)
    response = agent.post(NEW, {"text": "Do not lose this."})
    content = response.content.decode()
    assert response.status_code == 503
    assert "Nothing was stored" in content
    assert "Do not lose this." in content


def test_a_hostile_text_is_only_text(agent: Client) -> None:
    ticket = make_ticket("<script>alert(1)</script> =1+1 \x00")
    for url in (INBOX, ticket.get_absolute_url()):
        content = page(agent, url)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content
        assert "<script>" not in content


def test_a_ticket_page_tells_why_it_passed(agent: Client, primary: Any) -> None:
    ticket = make_ticket()
    with OpenAIServer([answer(confidence=0.9)]) as server:
        primary(server)
        pipeline.work_off()
    content = page(agent, ticket.get_absolute_url())
    assert "first is confident by 0.90; the threshold is 0.85." in content
    assert "400 + 40 tokens" in content
    assert 'http-equiv="refresh"' not in content


def test_a_ticket_page_shows_both_opinions_and_failures(agent: Client, primary: Any, second_opinion: Any) -> None:
    torn, failed = make_ticket("torn"), make_ticket("failed")
    replies = {"torn": answer("Billing", confidence=0.4), "failed": say("no")}
    with OpenAIServer(lambda request: replies[request.ticket]) as first, OpenAIServer([answer("Account")]) as second:
        primary(first)
        second_opinion(second)
        pipeline.work_off()
    content = page(agent, torn.get_absolute_url())
    assert "two models disagree" in content
    assert "Second opinion, second: Account | Negative" in content
    assert "broken_json" in page(agent, failed.get_absolute_url())
    assert "broken_json, 1" in page(agent, MODELS)


def test_there_is_a_page_for_what_is_not_there(agent: Client) -> None:
    response = agent.get("/tickets/999999/")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_the_models_page_lists_the_catalogue(agent: Client) -> None:
    content = page(agent, MODELS)
    for spec in ModelSpec.objects.all():
        assert spec.name in content
    assert "OPENAI_API_KEY is not set" in content


def test_signing_in_leads_to_the_inbox(client: Client, ana: User) -> None:
    response = client.post("/sign-in/", {"username": "ana", "password": "wrong"})
    assert "Please enter a correct username and password" in response.content.decode()
    response = client.post("/sign-in/", {"username": "ana", "password": "a-long-and-odd-password"})
    assert response["Location"] == INBOX
