"""A fault of the provider is no fault of a ticket: tickets wait, people are told, and work resumes by itself."""

from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from classifier.models import Failure, Gate, LanguageModel, Pause, Provider, Ticket, Verdict
from classifier.pipeline import runner
from tests.api.caller import Caller
from tests.classifier.pipeline.provider import Account, work
from tests.conftest import UseServer
from tests.factories import make_language_model, make_ticket
from tests.servers import OpenAIServer, Reply, answer, error

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

EMPTY = error(402, "Insufficient Balance")
INBOX = reverse("classifier:inbox")


def doctor() -> str:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--offline", stdout=out)
    return out.getvalue()


def test_tickets_wait_for_a_top_up_and_are_then_classified_by_themselves(
    primary: UseServer, lead_client: Client, admin_client: Client, agent_client: Client
) -> None:
    for number in range(30):
        make_ticket(f"number {number}")
    account = Account(EMPTY)
    with OpenAIServer(account) as server:
        primary(server, max_in_flight=8)
        while runner.classify_next_batch():
            pass
        assert len(server.requests) <= 3
        assert Ticket.objects.waiting().filter(attempts=0).count() == 30
        assert Failure.objects.count() == len(server.requests)
        for client, times in ((lead_client, 1), (admin_client, 1), (agent_client, 0)):
            assert client.get(INBOX).content.decode().count("Insufficient Balance") == times
        assert "Insufficient Balance" in admin_client.get(reverse("admin:index")).content.decode()
        assert "first is paused. 402: The balance is empty; top it up. Insufficient Balance" in doctor()
        assert (
            'ticketclf_model_paused{model="first",provider="first\'s"} 1.0' in Client().get("/metrics").content.decode()
        )
        before = len(server.requests)
        work()
        assert (len(server.requests), Ticket.objects.new().count()) == (before + 1, 30), "a probe costs one request"
        account.reply = answer()
        work()
    assert Ticket.objects.filter(state=Ticket.State.AUTO_ACCEPTED).count() == 30
    assert not Pause.objects.exists()
    assert "Insufficient" not in lead_client.get(INBOX).content.decode()


def test_probes_come_at_growing_intervals(primary: UseServer) -> None:
    make_ticket()
    intervals = []
    with OpenAIServer([EMPTY]) as server:
        primary(server)
        runner.classify_next_batch()
        for _time in range(7):
            probe_at, now = Pause.objects.values_list("probe_at", Now()).get()
            intervals.append(round((probe_at - now).total_seconds(), -1))
            work()
    assert intervals == sorted(intervals)
    assert 10 <= intervals[0] <= 20
    assert intervals[-1] == 600
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    "fault",
    [error(401), error(403), error(404), error(429, code="insufficient_quota"), "no-such-host.invalid", "127.0.0.1:9"],
    ids=str,
)
def test_any_fault_of_the_provider_holds_no_ticket(primary: UseServer, fault: Reply | str) -> None:
    ticket = make_ticket()
    with OpenAIServer([fault if isinstance(fault, Reply) else answer()]) as server:
        language_model = primary(server)
        if isinstance(fault, str):
            Provider.objects.filter(pk=language_model.provider_id).update(base_url=f"http://{fault}/v1")
        runner.classify_next_batch()
    ticket.refresh_from_db()
    assert (ticket.state, ticket.attempts, Pause.objects.count()) == (Ticket.State.NEW, 0, 1)
    assert not Verdict.objects.exists()


@pytest.fixture
def three_models(primary: UseServer, second_opinion: UseServer) -> Iterator[Callable[..., list[OpenAIServer]]]:
    """A front model, a primary that is unsure, and a second opinion, each behind a server of its own."""
    servers: list[OpenAIServer] = []

    def use(front: Reply, second: Reply) -> list[OpenAIServer]:
        for reply in (front, answer(confidence=0.5), second):
            servers.append(OpenAIServer([reply]).__enter__())
        Gate.objects.update(front=make_language_model(servers[0], name="quick", family="front"))
        primary(servers[1])
        second_opinion(servers[2])
        return servers

    yield use
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize(("paused", "meaning"), [(0, "labels tickets without it"), (2, "get no second opinion")])
def test_other_models_than_the_primary_are_left_out(
    three_models: Callable[..., list[OpenAIServer]], lead_client: Client, paused: int, meaning: str
) -> None:
    replies = [EMPTY if place == paused else answer("Account", confidence=0.6) for place in (0, 2)]
    servers = three_models(*replies)
    for _time in range(2):
        make_ticket()
        runner.classify_next_batch()
    assert Ticket.objects.filter(state=Ticket.State.NEEDS_REVIEW).count() == 2
    assert [len(server.requests) for server in servers] == [1 if place == paused else 2 for place in range(3)]
    page = lead_client.get(INBOX).content.decode()
    assert (page.count("Insufficient Balance"), meaning in page) == (1, True)


def test_a_lost_model_pauses_no_other_of_its_provider(primary: UseServer) -> None:
    with OpenAIServer(lambda request: error(404) if request.body["model"] == "lost" else answer()) as server:
        language_model = primary(server)
        lost = LanguageModel.objects.create(provider=language_model.provider, name="lost", family="lost")
        Gate.objects.update(front=lost)
        for _time in range(2):
            make_ticket()
            runner.classify_next_batch()
    assert Ticket.objects.filter(state=Ticket.State.AUTO_ACCEPTED).count() == 2
    assert [request.body["model"] for request in server.requests].count("lost") == 1


def test_a_pause_of_a_model_that_is_no_longer_active_ends_without_a_request(primary: UseServer) -> None:
    make_ticket()
    with OpenAIServer([EMPTY]) as server:
        primary(server)
        runner.classify_next_batch()
        Gate.objects.update(primary=LanguageModel.objects.zero_shot())
        work()
    assert (len(server.requests), Pause.objects.count(), Ticket.objects.new().count()) == (1, 0, 0)


def test_a_ping_that_is_answered_ends_the_pause(primary: UseServer) -> None:
    make_ticket()
    out = StringIO()
    with OpenAIServer([EMPTY, answer()]) as server:
        primary(server)
        runner.classify_next_batch()
        call_command("ping", "first", stdout=out)
    assert "ok" in out.getvalue()
    assert not Pause.objects.exists()


def test_the_api_says_that_the_model_is_paused(primary: UseServer, lead_api: Caller) -> None:
    with OpenAIServer([EMPTY]) as server:
        primary(server)
        for _time in range(2):
            unstored = lead_api.post("/classify", {"text": "Hello", "store": False})
            assert (unstored.status_code, unstored["Retry-After"]) == (503, "15")
            assert "Insufficient Balance" in unstored.json()["detail"]
        stored = lead_api.post("/classify", {"text": "Hello"})
    assert (stored.status_code, len(server.requests)) == (202, 1)
    assert Ticket.objects.waiting().count() == 1


def test_leads_and_admins_get_one_email_once_a_probe_has_failed(
    primary: UseServer, mailoutbox: list[EmailMessage], admin: User, lea: User, ana: User
) -> None:
    for person in (admin, lea, ana):
        person.email = f"{person.username}@example.com"
        person.save()
    make_ticket()
    with OpenAIServer([EMPTY]) as server:
        primary(server)
        runner.classify_next_batch()
        assert not mailoutbox
        work()
        work()
    (message,) = mailoutbox
    assert (message.subject, message.to) == ("first is paused", ["ada@example.com", "lea@example.com"])
    assert "Insufficient Balance" in message.body
