"""A provider that fails for everybody is told from a ticket at which it fails."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from classifier.contract import prompt
from classifier.models import Pause, Ticket
from classifier.pipeline import claims, runner
from tests.classifier.pipeline.provider import Account, work
from tests.conftest import UseServer
from tests.factories import make_ticket
from tests.servers import CUT, HANG, OpenAIServer, Reply, Request, answer, error, html

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

POISON = "poison"
IN_FLIGHT = 4
A_HANDFUL = IN_FLIGHT + 4


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.inference.backends.endpoint.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("classifier.inference.backends.head_start.LONGEST_WAIT", 0.1)


OUTAGES = {"503": error(503), "time-outs": HANG, "cut connections": CUT, "a page of a proxy": html()}
LIMITS = {"for hours": error(429, retry_after="7200"), "for a moment, time and again": error(429, retry_after="0")}


def classify_all() -> None:
    while runner.classify_next_batch():
        pass


@pytest.mark.parametrize("warm", [False, True], ids=["at the start", "amid work"])
@pytest.mark.parametrize("reply", OUTAGES.values(), ids=OUTAGES)
def test_tickets_wait_for_the_end_of_an_outage(
    primary: UseServer, lead_client: Client, reply: Reply, warm: bool
) -> None:
    account = Account(answer())
    with OpenAIServer(account) as server:
        primary(server, max_in_flight=IN_FLIGHT, timeout=0.3, json_mode="json_schema" if warm else "unknown")
        if warm:
            make_ticket("before")
            classify_all()
        before, account.reply = len(server.requests), reply
        for number in range(30):
            make_ticket(f"number {number}")
        classify_all()
        assert Ticket.objects.waiting().filter(attempts=0).count() == 30
        assert len(server.requests) - before <= A_HANDFUL
        page = lead_client.get(reverse("classifier:inbox")).content.decode()
        assert page.count("Not even a harmless request is answered.") == 1
        before = len(server.requests)
        work()
        assert len(server.requests) - before == (1 if warm else 2), "the probe's"
        account.reply = answer()
        work()
    assert not Ticket.objects.exclude(state=Ticket.State.AUTO_ACCEPTED).exists()
    assert not Pause.objects.exists()


@pytest.mark.parametrize("reply", LIMITS.values(), ids=LIMITS)
def test_tickets_wait_for_the_end_of_a_limit(primary: UseServer, reply: Reply) -> None:
    account = Account(reply)
    with OpenAIServer(account) as server:
        primary(server, max_in_flight=IN_FLIGHT, json_mode="json_schema")
        for number in range(30):
            make_ticket(f"number {number}")
        for _time in range(claims.MOST_ATTEMPTS):
            Ticket.objects.update(available_at=Now())
            classify_all()
        assert Ticket.objects.new().filter(attempts__lte=1).count() == 30
        assert len(server.requests) <= (A_HANDFUL if reply is LIMITS["for hours"] else 8 * IN_FLIGHT + 1)
        account.reply = answer()
        Ticket.objects.update(available_at=Now())
        work()
    assert Ticket.objects.filter(state=Ticket.State.AUTO_ACCEPTED).count() == 30


def test_a_pause_lasts_as_long_as_the_provider_asks_for(primary: UseServer) -> None:
    for number in range(3):
        make_ticket(f"number {number}")
    for_long = Pause.objects.filter(probe_at__gt=Now() + timedelta(hours=1.9))
    with OpenAIServer([LIMITS["for hours"]]) as server:
        primary(server)
        runner.classify_next_batch()
        assert for_long.count() == 1
        work()
        assert for_long.count() == 1


def failing_at_poison(fault: Reply) -> Callable[[Request], Reply]:
    return lambda request: fault if request.ticket == POISON else answer()


@pytest.mark.parametrize("others", [0, 9], ids=["alone", "one of ten"])
@pytest.mark.parametrize("fault", [error(500), HANG, CUT], ids=["500", "hang", "cut"])
def test_a_ticket_at_which_the_endpoint_fails_pauses_nothing(primary: UseServer, fault: Reply, others: int) -> None:
    poison = make_ticket(POISON)
    for number in range(others):
        make_ticket(f"number {number}")
    with OpenAIServer(failing_at_poison(fault)) as server:
        primary(server, max_in_flight=IN_FLIGHT, timeout=0.1, json_mode="json_schema")
        for _time in range(claims.MOST_ATTEMPTS):
            Ticket.objects.update(available_at=Now())
            classify_all()
            assert not Pause.objects.exists()
    poison.refresh_from_db()
    assert poison.state == Ticket.State.NEEDS_REVIEW
    assert Ticket.objects.filter(state=Ticket.State.AUTO_ACCEPTED).count() == others
    asked = [request.ticket for request in server.requests]
    assert asked.count(POISON) + asked.count(prompt.HARMLESS_TEXT) <= 5 * claims.MOST_ATTEMPTS
