"""Incidents: bursts of near-duplicates are listed and decided together."""

import html
import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from classifier.models import Category, Ticket
from review.models import Assignment, Decision
from review.workflow import leases
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import assert_consistent, skip

pytestmark = pytest.mark.usefixtures("single_reviews")

QUEUE, SCREEN = reverse("review:queue"), reverse("review:screen")

CHARGE = "My card was charged twice for the same invoice of this month, please refund it. Order {number}"
LOGIN = "Since this morning nobody in our whole company can sign in with single sign-on. Company {number}"
HOSTILE = "<img src=x onerror=alert(1)> is what your page shows to all of us when it is opened again {number}"

HIDDEN = {"blind": True, "category": None, "sentiment": None, "confidence": None, "language_model": None, "reason": ""}


def burst(text: str, number: int, received_at: datetime | None = None) -> list[Assignment]:
    """Create tickets that differ only in a number and arrived together."""
    when = {"received_at": received_at} if received_at else {}
    tickets = [make_ticket(text.format(number=place), **when) for place in range(number)]
    return send_to_review(*tickets, category=Category.objects.get(name="Billing"))


def section(client: Client) -> str:
    """The incidents above the queue's table; empty if there are none."""
    content = client.get(QUEUE).content.decode()
    match = re.search(r'<section class="incidents".*?</section>', content, re.DOTALL)
    return match[0] if match else ""


def lines(client: Client) -> list[str]:
    rows = re.findall(r"<li>(.*?)</li>", section(client), re.DOTALL)
    return [html.unescape(" ".join(re.sub(r"<[^>]*>", " ", row).split())) for row in rows]


def test_incident_is_listed_with_its_size_and_text(agent_client: Client) -> None:
    burst(CHARGE, 6)
    (line,) = lines(agent_client)
    assert line.startswith("6 similar My card was charged twice for the same invoice")
    assert "the first now" in line


def test_largest_incident_comes_first(agent_client: Client) -> None:
    burst(CHARGE, 5)
    burst(LOGIN, 7)
    assert [line[:9] for line in lines(agent_client)] == ["7 similar", "5 similar"]


def test_at_most_five_incidents_are_shown(agent_client: Client) -> None:
    subjects = ["invoices", "passwords", "printers", "exports", "colleagues", "holidays"]
    for subject in subjects:
        burst(f"{subject} " * 3 + f"and nothing but {subject} {subject} went {subject} wrong, number {{number}}", 5)
    assert len(lines(agent_client)) == 5


def test_four_near_duplicates_are_no_incident(agent_client: Client) -> None:
    burst(CHARGE, 4)
    assert section(agent_client) == ""


def test_old_arrivals_are_not_part_of_an_incident(agent_client: Client) -> None:
    burst(CHARGE, 5, timezone.now() - timedelta(hours=25))
    assert section(agent_client) == ""
    burst(LOGIN, 5, timezone.now() - timedelta(hours=23))
    (line,) = lines(agent_client)
    assert "the first 23" in line


def test_decided_tickets_are_not_part_of_an_incident(agent_client: Client, ben: User) -> None:
    first, *_others = burst(CHARGE, 5)
    assert section(agent_client)
    skip(first, ben)
    assert section(agent_client), "someone else still has an open assignment"
    decide_at_screen(agent_client, first.ticket)
    assert section(agent_client) == ""


def decide_at_screen(client: Client, ticket: Ticket) -> str:
    """Accept the ticket's suggestion on the screen; returns the response."""
    page = client.post(reverse("review:take", args=[ticket.pk]), follow=True).content.decode()
    form = page.split('<form id="answer"')[1].split("</form>")[0]
    sent = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    chosen = re.findall(r'name="(category|sentiment)" value="(\d+)" checked', form)
    sent |= dict(chosen)
    wanted = {name: sent[name] for name in ("key", "display_token", "lane", "category", "sentiment")}
    response = client.post(reverse("review:decide"), wanted, headers={"hx-request": "true"})
    assert response.status_code == 200
    return response.content.decode()


def test_deciding_one_ticket_of_an_incident_offers_the_others(agent_client: Client) -> None:
    burst(CHARGE, 6)
    url = re.search(r'action="([^"]*/take/(\d+)/)"', section(agent_client))
    assert url
    reply = decide_at_screen(agent_client, Ticket.objects.get(pk=url[2]))
    assert "5 near-duplicates waiting: decide them together" in reply
    alike = re.search(r'href="([^"]*/duplicates/\d+/)"', reply)
    assert alike
    page = agent_client.get(alike[1]).content.decode()
    agent_client.post(alike[1], {"assignment": re.findall(r'name="assignment" value="(\d+)"', page)})
    assert Decision.objects.count() == 6
    assert set(Ticket.objects.values_list("state", flat=True)) == {"settled"}
    assert section(agent_client) == ""
    assert_consistent()


def test_a_ticket_open_with_someone_else_is_not_offered(agent_client: Client, ben: User) -> None:
    assignments = burst(CHARGE, 5)
    leases.lease_ticket(ben, assignments[0].ticket)
    incidents = section(agent_client)
    assert reverse("review:take", args=[assignments[0].ticket_id]) not in incidents
    assert reverse("review:take", args=[assignments[1].ticket_id]) in incidents
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments[1:]]).update(
        skipped_by=User.objects.get(username="ana")
    )
    assert "all open with someone" in lines(agent_client)[0]


def test_an_incident_offers_a_ticket_that_is_not_blind_first(agent_client: Client) -> None:
    assignments = burst(CHARGE, 6)
    Assignment.objects.filter(pk=assignments[0].pk).update(**HIDDEN)
    (line,) = lines(agent_client)
    assert line.startswith("6 similar")
    assert reverse("review:take", args=[assignments[1].ticket_id]) in section(agent_client)


def test_incidents_reveal_nothing_of_the_predictions(agent_client: Client) -> None:
    configure_review(blind_share=1)
    billing = Category.objects.get(name="Billing")
    billing.name = "Zanzibar"
    billing.save()
    tickets = [make_ticket(CHARGE.format(number=place)) for place in range(5)]
    send_to_review(*tickets, category=billing, reasoning="A secret of the model.", confidence=0.4321)
    incidents = section(agent_client)
    assert "5 similar" in incidents
    assert not re.search("Zanzibar|secret|0.43", incidents)


def test_double_labelled_ticket_counts_once_in_an_incident(agent_client: Client) -> None:
    configure_review(double_share=1)
    burst(CHARGE, 4)
    assert Assignment.objects.open().count() == 8
    assert section(agent_client) == ""


def test_hostile_text_is_escaped(agent_client: Client) -> None:
    burst(HOSTILE, 5)
    assert "&lt;img src=x" in section(agent_client)
    assert "<img" not in section(agent_client)


def test_incidents_take_two_queries_for_any_queue_length(agent_client: Client) -> None:
    agent_client.get(QUEUE)
    with CaptureQueriesContext(
        connection,
    ) as none:
        agent_client.get(QUEUE)
    burst(CHARGE, 5)
    with CaptureQueriesContext(connection) as few:
        agent_client.get(QUEUE)
    burst(LOGIN, 40)
    with CaptureQueriesContext(connection) as many:
        agent_client.get(QUEUE)
    assert len(many) == len(few)
    about_alike = [query["sql"] for query in many if '"group_id"' in query["sql"] and "COUNT(DISTINCT" in query["sql"]]
    assert len(about_alike) == 1
    assert len(none) <= len(few)


def test_incidents_are_searched_among_the_latest_assignments(
    agent_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review.duplicates.incidents.LOOKED_THROUGH", 6)
    burst(CHARGE, 5, timezone.now() - timedelta(hours=2))
    assert section(agent_client)
    burst(LOGIN, 5)
    (line,) = lines(agent_client)
    assert "single sign-on" in line


# The review screen


def test_screen_shows_the_size_of_an_incident(agent_client: Client) -> None:
    burst(CHARGE, 5)
    assert "one of 5 similar" in agent_client.get(SCREEN).content.decode()


def test_screen_shows_no_incident_for_few_near_duplicates(agent_client: Client) -> None:
    burst(CHARGE, 4)
    page = agent_client.get(SCREEN).content.decode()
    assert "My card" in page
    assert 'class="incident"' not in page


def test_screen_shows_no_incident_in_a_blind_review(agent_client: Client) -> None:
    burst(CHARGE, 9)
    first = leases.lease_next(User.objects.get(username="ana"))
    assert first
    assert 'class="incident"' in agent_client.get(SCREEN).content.decode()
    Assignment.objects.filter(pk=first.pk).update(**HIDDEN)
    page = agent_client.get(SCREEN).content.decode()
    assert "Blind review" in page
    assert 'class="incident"' not in page
