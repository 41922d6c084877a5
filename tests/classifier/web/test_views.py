"""The pages for tickets and models."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.views.defaults import server_error

from classifier.contract.types import FailureKind
from classifier.models import (
    ContractVersion,
    Failure,
    Gate,
    LanguageModel,
    Provider,
    Spend,
    Tally,
    TallyProgress,
    Ticket,
)
from classifier.pipeline import gate, runner
from classifier.taxonomy import label_changes
from classifier.text import LONGEST_TICKET
from tests.factories import configure_review, make_prediction, make_ticket
from tests.servers import OpenAIServer, answer, say

pytestmark = pytest.mark.usefixtures("catalogue")

INBOX, NEW, MODELS = reverse("classifier:inbox"), reverse("classifier:new_ticket"), reverse("classifier:models")


@pytest.fixture
def agent_client(client: Client, ana: User) -> Client:
    configure_review()
    client.force_login(ana)
    return client


def page(agent_client: Client, url: str, **query: Any) -> str:
    response = agent_client.get(url, query)
    assert response.status_code == 200
    return response.content.decode()


def test_lists_read_no_more_of_a_long_text_than_they_show(client: Client, admin: User) -> None:
    make_ticket("long " * 20_000)
    client.force_login(admin)
    for url in (INBOX, reverse("admin:classifier_ticket_changelist"), reverse("review:queue")):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        assert [
            query["sql"] for query in queries if re.search(r'(?<!\()"classifier_ticket"."text"', query["sql"])
        ] == []


@pytest.mark.parametrize(
    ("typed", "found"),
    [("broken invoice", {1}), ("invo", {1, 2}), ("x-77", {2}), ("c@example.org", {3}), ("none", set())],
)
def test_the_admin_finds_tickets_by_words_external_id_and_customer(
    client: Client, admin: User, typed: str, found: set[int]
) -> None:
    make_ticket("The invoice is broken.", pk=1)
    make_ticket("An invoice.", pk=2, external_id="x-77", source="crm")
    make_ticket("Something else.", pk=3, customer="c@example.org")
    client.force_login(admin)
    content = page(client, reverse("admin:classifier_ticket_changelist"), q=typed)
    assert {int(pk) for pk in re.findall(r"classifier/ticket/(\d+)/change/", content)} == found


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
def test_read_only_pages_refuse_post(agent_client: Client, url: str) -> None:
    assert agent_client.post(url).status_code == 405


def test_an_empty_inbox_says_what_to_do(agent_client: Client) -> None:
    assert "No tickets yet" in page(agent_client, INBOX)


def test_every_page_says_which_key_is_missing(agent_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = make_ticket()
    for url in (INBOX, NEW, MODELS, ticket.get_absolute_url()):
        assert "No key in OXLO_API_KEY: the embedded model answers" in page(agent_client, url)
    monkeypatch.setenv("OXLO_API_KEY", "sk-secret")
    content = page(agent_client, MODELS)
    assert "the embedded model answers" not in content
    assert "sk-secret" not in content


def test_before_the_catalogue_is_loaded_pages_say_what_to_run(agent_client: Client) -> None:
    Gate.objects.all().delete()
    assert "manage.py setup" in page(agent_client, INBOX)


def test_tabs_show_one_state_each_with_their_numbers(agent_client: Client) -> None:
    make_ticket("one that waits")
    Ticket.objects.filter(pk=make_ticket("one in review").pk).update(state="needs_review")
    assert "one that waits" in page(agent_client, INBOX, state="new")
    content = page(agent_client, INBOX, state="needs_review")
    assert "one in review" in content
    assert "one that waits" not in content


@pytest.mark.parametrize("query", [{"state": "nonsense"}, {"before": "x"}, {"before": "9" * 40}, {"before": "-1"}])
def test_invalid_query_parameters_show_the_inbox(agent_client: Client, query: dict[str, str]) -> None:
    make_ticket("still here")
    assert "still here" in page(agent_client, INBOX, **query)


def test_the_inbox_is_paged_by_key(agent_client: Client) -> None:
    tickets = Ticket.objects.bulk_create([Ticket(text=f"ticket no. {number}") for number in range(60)])
    first = page(agent_client, INBOX)
    assert "ticket no. 59" in first
    assert f"before={tickets[10].pk}" in first
    second = page(agent_client, INBOX, before=str(tickets[10].pk))
    assert "ticket no. 9<" in second
    assert "Earlier tickets" not in second


def judged(*tickets: Ticket, confidence: float = 0.9) -> None:
    """Tickets with verdicts, where the embedded model is the only one."""
    epoch = gate.confidence_epoch(LanguageModel.objects.zero_shot(), ContractVersion.objects.current(), 0.85)
    outcomes = [gate.ScoredOutcome(ticket, make_prediction(ticket, confidence=confidence), None) for ticket in tickets]
    gate.record_verdicts(epoch, outcomes, {})


@pytest.mark.parametrize("number", [10, 1_000])
def test_the_inbox_costs_the_same_whatever_its_length(
    agent_client: Client, number: int, django_assert_num_queries: Any
) -> None:
    Ticket.objects.bulk_create([Ticket(text="hello") for _number in range(number)])
    judged(*Ticket.objects.all()[:50], confidence=0.4)
    # Session, user, permissions, five counts, page, verdicts, gate.
    with django_assert_num_queries(10):
        assert page(agent_client, INBOX).count("below the threshold") == min(number, 50)


def test_counting_stops_before_it_costs(agent_client: Client) -> None:
    Ticket.objects.bulk_create([Ticket(text="hello") for _number in range(1_000)])
    assert page(agent_client, INBOX).count(">999+<") == 2  # all, and new


def test_a_row_shows_label_confidence_reason_channel_and_age(agent_client: Client) -> None:
    ticket = make_ticket("torn", channel="phone", received_at=timezone.now() - timedelta(hours=3, minutes=20))
    judged(ticket, confidence=0.62)
    content = page(agent_client, INBOX)
    for shown in ("Billing", "Positive", "0.62", "needs review: below the threshold", "phone", "3\xa0hours ago"):
        assert shown in content, shown
    assert f'datetime="{ticket.received_at.isoformat()}"' in content


def test_a_ticket_to_be_classified_again_shows_no_earlier_label(agent_client: Client) -> None:
    ticket = make_ticket()
    judged(ticket)
    assert "0.90" in page(agent_client, INBOX)
    label_changes.classify_again(Ticket.objects.all())
    row = page(agent_client, INBOX)
    assert "waiting for classification" in row
    assert "0.90" not in row
    content = page(agent_client, ticket.get_absolute_url())
    verdict, history = content.split("<h2>History</h2>")
    assert "waiting for classification" in verdict
    assert "confident" not in verdict
    assert "confident enough" in history


def test_a_stored_ticket_waits_for_no_model(agent_client: Client, primary: Any) -> None:
    with OpenAIServer() as server:
        primary(server)
        response = agent_client.post(NEW, {"text": "My printer smokes.", "external_id": ""}, follow=True)
        assert server.requests == []
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.external_id, ticket.state) == ("app", None, "new")
    content = response.content.decode()
    assert "My printer smokes." in content
    assert 'http-equiv="refresh"' in content


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "This field is required"),
        ("  \n\t ", "This field is required"),
        ("x" * (LONGEST_TICKET + 1), "a ticket may have 1,048,576"),
    ],
)
def test_a_refused_text_says_why(agent_client: Client, text: str, error: str) -> None:
    content = agent_client.post(NEW, {"text": text}).content.decode()
    assert error in content
    assert not Ticket.objects.exists()


def test_a_text_of_a_megabyte_is_stored_and_shown_in_part(agent_client: Client) -> None:
    agent_client.post(NEW, {"text": "x" * LONGEST_TICKET})
    ticket = Ticket.objects.get()
    assert len(ticket.text) == LONGEST_TICKET
    assert "Show 1,028,576 more characters" in page(agent_client, ticket.get_absolute_url())
    assert "x" * LONGEST_TICKET in page(agent_client, ticket.get_absolute_url(), whole="")


def test_an_external_id_is_accepted_once(agent_client: Client) -> None:
    first = make_ticket(external_id="A-1")
    content = agent_client.post(NEW, {"text": "again", "external_id": "A-1"}).content.decode()
    assert "A ticket with this external ID already exists" in content
    assert first.get_absolute_url() in content
    assert "again" in content


@pytest.mark.usefixtures("roles")
@pytest.mark.django_db(transaction=True)
def test_a_simultaneous_duplicate_external_id_is_refused_too(agent_client: Client) -> None:
    def somebody_else_is_faster(**_signal: object) -> None:
        pre_save.disconnect(somebody_else_is_faster, sender=Ticket)
        make_ticket("the faster one", external_id="A-1")

    pre_save.connect(somebody_else_is_faster, sender=Ticket)
    content = agent_client.post(NEW, {"text": "the slower one", "external_id": "A-1"}).content.decode()
    assert Ticket.objects.get().text == "the faster one"
    assert Ticket.objects.get().get_absolute_url() in content
    assert "the slower one" in content


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite lets a test fill its disk")
@pytest.mark.usefixtures("roles")
@pytest.mark.django_db(transaction=True)
def test_a_full_disk_loses_no_text(agent_client: Client) -> None:
    text = "Do not lose this. " * 5_000
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # pages freed by earlier tests would still take the text
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
    try:
        response = agent_client.post(NEW, {"text": text})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1073741823")
    content = response.content.decode()
    assert response.status_code == 503
    assert "Nothing was saved: the database is not writable (database or disk is full)" in content
    assert "waits to be classified" not in content
    assert text.strip() in content
    assert not Ticket.objects.exists()


def test_an_oversized_request_names_the_limit(agent_client: Client) -> None:
    response = agent_client.post(NEW, {"text": "x" * 6_000_000})
    assert response.status_code == 400
    assert f"{LONGEST_TICKET:,} characters" in response.content.decode()


def test_a_form_from_another_session_says_so(ana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    response = client.post(NEW, {"text": "typed before somebody else signed in"})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert not Ticket.objects.exists()


def test_the_server_error_page_asks_no_database(rf: RequestFactory, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = server_error(rf.get(INBOX))
    assert "Your changes may not have been saved" in response.content.decode()


def test_line_breaks_are_stored_as_typed_not_as_browsers_send_them(agent_client: Client) -> None:
    agent_client.post(NEW, {"text": "one\r\ntwo\r\n\r\nthree"})
    assert Ticket.objects.get().text == "one\ntwo\n\nthree"


def test_markup_in_a_ticket_is_escaped(agent_client: Client) -> None:
    ticket = make_ticket("<script>alert(1)</script> =1+1 \x00")
    for url in (INBOX, ticket.get_absolute_url()):
        content = page(agent_client, url)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content
        assert "<script>" not in content


def test_a_ticket_page_says_why_it_was_auto_accepted(agent_client: Client, primary: Any) -> None:
    ticket = make_ticket()
    with OpenAIServer([answer(confidence=0.9)]) as server:
        primary(server)
        runner.classify_next_batch()
    content = page(agent_client, ticket.get_absolute_url())
    assert "first is 90% confident; auto-accept starts at 85%." in content
    assert "400 + 40 tokens" in content
    assert 'http-equiv="refresh"' not in content


def test_a_ticket_page_shows_both_opinions_and_failures(
    agent_client: Client, primary: Any, second_opinion: Any
) -> None:
    torn, failed = make_ticket("torn"), make_ticket("failed")
    replies = {"torn": answer("Billing", confidence=0.4), "failed": say("its last words")}
    with OpenAIServer(lambda request: replies[request.ticket]) as first, OpenAIServer([answer("Account")]) as second:
        primary(first)
        second_opinion(second)
        runner.classify_next_batch()
    content = page(agent_client, torn.get_absolute_url())
    assert "two models disagree" in content
    assert "Second opinion, second: Account | Negative" in content
    content = page(agent_client, failed.get_absolute_url())
    assert "broken_json" in content
    assert "its last words" in content


def test_the_history_shows_date_requests_and_cost(agent_client: Client) -> None:
    ticket = make_ticket()
    make_prediction(ticket, requests=2, input_tokens=1_412, cost=Decimal("0.00000012"), reasoning="<b>Because</b>")
    content = page(agent_client, ticket.get_absolute_url())
    assert timezone.localtime().strftime("%b %Y") in content.split("<h2>History</h2>")[1]
    for shown in ("2 requests", "1,412", "cost 0.00000012", "&lt;b&gt;Because&lt;/b&gt;"):
        assert shown in content, shown


def test_there_is_a_not_found_page(agent_client: Client) -> None:
    response = agent_client.get("/tickets/999999/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_the_models_page_lists_the_catalogue(lead_client: Client) -> None:
    content = page(lead_client, MODELS)
    for language_model in LanguageModel.objects.all():
        assert language_model.name in content
    assert "OPENAI_API_KEY is not set" in content


def test_the_models_page_shows_roles_prices_and_spend(lead_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OXLO_API_KEY", "sk-secret")
    oxlo = Gate.current().primary.provider
    Provider.objects.filter(pk=oxlo.pk).update(daily_budget=Decimal("5"))
    LanguageModel.objects.filter(pk=Gate.current().primary.pk).update(
        price_input=Decimal("0.6"), price_output=Decimal("2")
    )
    Spend.objects.create(provider=oxlo, day=timezone.now().date(), cost=Decimal("1.25"))
    Spend.objects.create(provider=oxlo, day=timezone.now().date() - timedelta(days=1), cost=Decimal("77.125"))
    content = page(lead_client, MODELS)
    for shown in ("OXLO_API_KEY is set", "labels all tickets", "second opinion", "0.6 in, 2 out", "1.25", "of 5"):
        assert shown in content, shown
    assert "77.125" not in content


def test_agents_see_no_prices_or_addresses_of_providers(agent_client: Client) -> None:
    content = page(agent_client, MODELS)
    assert "labels all tickets" in content
    assert "Spent today" not in content
    assert "https://" not in content.split("<main")[1]


def test_failures_and_repaired_replies_are_counted_by_model(
    agent_client: Client, django_assert_max_num_queries: Any
) -> None:
    about = {
        "ticket": make_ticket(),
        "language_model": Gate.current().primary,
        "contract": ContractVersion.objects.current(),
    }
    for kind in (FailureKind.TIMEOUT, FailureKind.TIMEOUT, FailureKind.CUT_OFF):
        Failure.objects.create(kind=kind, detail="No answer.", **about)
    old = Failure.objects.create(kind=FailureKind.REFUSED, detail="No.", **about)
    Failure.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    counted = TallyProgress.objects.create(name="predictions")
    for name, value in (("repaired", 3), ("classified", 40)):
        key = json.dumps([name, str(Gate.current().primary.pk)])
        Tally.objects.create(fold=counted, key=key, value=value)
    with django_assert_max_num_queries(13):
        content = page(agent_client, MODELS)
    assert "3 of 40" in content
    assert "llama-3.3-70b: timeout, 2" in content
    assert "llama-3.3-70b: cut_off, 1" in content
    assert "refused" not in content


def test_only_people_who_may_change_models_see_the_admin_link(agent_client: Client, admin: User) -> None:
    assert "/admin/" not in page(agent_client, MODELS)
    agent_client.force_login(admin)
    content = page(agent_client, MODELS)
    for model, pk in (
        ("gate", 1),
        ("provider", Provider.objects.first().pk),
        ("languagemodel", LanguageModel.objects.first().pk),
    ):
        assert reverse(f"admin:classifier_{model}_change", args=[pk]) in content


def test_navigation_marks_the_current_page(agent_client: Client) -> None:
    for url in (INBOX, NEW, MODELS):
        assert f'<a href="{url}" aria-current="page">' in page(agent_client, url)


def test_signing_in_leads_to_the_inbox(client: Client, ana: User) -> None:
    response = client.post("/sign-in/", {"username": "ana", "password": "wrong"})
    assert "Please enter a correct username and password" in response.content.decode()
    response = client.post("/sign-in/", {"username": "ana", "password": "a-long-and-odd-password"})
    assert response["Location"] == INBOX
