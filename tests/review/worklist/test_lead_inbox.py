"""The lead's page: inbox, agreement between reviewers, activity of agents."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from classifier.models import Ticket
from review.models import Assignment, SkipReason
from review.workflow import decisions, leases
from review.workflow.decision_records import Presented
from review.worklist import lead_inbox
from tests.factories import configure_review, distinct_text, make_ticket, make_user, send_to_review
from tests.review.actions import answer, escalate, label, skip, undo

pytestmark = pytest.mark.usefixtures("single_reviews")

LEAD, WORK = reverse("review:lead"), reverse("review:lead_screen")


def escalate_ticket(reviewer: User, text: str) -> Ticket:
    ticket = make_ticket(text)
    escalate(send_to_review(ticket)[0], reviewer)
    return ticket


def make_disagreement(first: User, second: User, text: str = "Which of the two?") -> Ticket:
    """A ticket that two people label independently, as Billing and as Technical."""
    configure_review(double_share=1)
    ticket = make_ticket(text)
    for assignment, person, category in zip(
        send_to_review(ticket), (first, second), ("Billing", "Technical"), strict=True
    ):
        answer(assignment, person, category)
    configure_review()
    return ticket


def lead_page_content(client: Client) -> str:
    response = client.get(LEAD)
    assert response.status_code == 200
    return str(response.content.decode())


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace(" ,", ",").split())


def part_of(content: str, heading: str) -> str:
    """The section under the heading with this id."""
    return content.split(f'<h2 id="{heading}">')[1].split("</section>")[0]


def section(content: str, heading: str) -> str:
    return text_of(part_of(content, heading))


def rows(content: str, heading: str) -> list[str]:
    return [text_of(row) for row in re.findall(r"<li>(.*?)</li>", part_of(content, heading), re.DOTALL)]


# Inbox


def test_inbox_lists_escalations_with_person_and_reason(lead_client: Client, ana: User) -> None:
    ticket = escalate_ticket(ana, "I will see you in court.")
    Assignment.objects.update(
        received_at=timezone.now() - timedelta(hours=3), due_at=timezone.now() + timedelta(minutes=31)
    )
    (row,) = rows(lead_page_content(lead_client), "escalated")
    assert "I will see you in court." in row
    assert "ana escalated it: Is this a threat?" in row
    assert f"Ticket {ticket.pk}, 3 hours ago, due 30 minutes from now" in row
    assert "Open" in row


def test_inbox_lists_tickets_skipped_by_two_people_with_their_reasons(
    lead_client: Client, ana: User, ben: User
) -> None:
    (assignment,) = send_to_review(make_ticket("Ei ymmärrä."))
    decisions.skip(assignment, ana, SkipReason.LANGUAGE, key=uuid4())
    assert rows(lead_page_content(lead_client), "escalated") == []
    skip(assignment, ben, note="Finnish?")
    (row,) = rows(lead_page_content(lead_client), "escalated")
    assert "ana skipped it: I don&#x27;t read this language" in row
    assert "ben skipped it: I can&#x27;t tell what it is about. Finnish?" in row


def test_an_undone_skip_no_longer_routes_the_ticket(lead_client: Client, ana: User, ben: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    undo(skip(assignment, ana), ana)
    leases.release(ana)
    for person in (ben, make_user("cara", "Agent")):
        skip(assignment, person)
    (row,) = rows(lead_page_content(lead_client), "escalated")
    assert "ben skipped it" in row
    assert "cara skipped it" in row
    assert "ana" not in row


def test_inbox_shows_neither_people_nor_labels_of_a_disagreement(lead_client: Client, ana: User, ben: User) -> None:
    """A lead who gave one label would recognise the other."""
    make_disagreement(ana, ben)
    content = lead_page_content(lead_client)
    (row,) = rows(content, "differing")
    assert "Which of the two?" in row
    assert "Open" in row
    part = section(content, "differing")
    for secret in ("ana", "ben", "Billing", "Technical"):
        assert secret not in part, secret


def test_inbox_hides_earlier_skips_of_a_disagreement(lead_client: Client, ana: User, ben: User) -> None:
    configure_review(double_share=1)
    ticket = make_ticket()
    first, second = send_to_review(ticket)
    cara = make_user("cara", "Agent")
    skip(first, cara)
    answer(first, ana, "Billing")
    answer(second, ben, "Technical")
    assert "cara" not in section(lead_page_content(lead_client), "differing")


def test_inbox_lists_the_oldest_first(lead_client: Client, ana: User) -> None:
    for age in (1, 5, 3):
        ticket = escalate_ticket(ana, f"{age} days old")
        Assignment.objects.filter(ticket=ticket).update(received_at=timezone.now() - timedelta(days=age))
    assert [row.split(" days old")[0] for row in rows(lead_page_content(lead_client), "escalated")] == ["5", "3", "1"]


def test_inbox_limits_items_and_counts(
    lead_client: Client, ana: User, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead_inbox, "SHOWN", 2)
    monkeypatch.setattr(lead_inbox, "COUNTED", 5)
    for number in range(3):
        escalate_ticket(ana, f"escalated {number}")
    make_disagreement(ana, ben)
    content = lead_page_content(lead_client)
    assert section(content, "escalated").startswith("Escalations 3 ")
    assert len(rows(content, "escalated")) == 2
    assert "Only the oldest of each kind are shown" in content
    escalate_ticket(ana, "one more")
    assert section(lead_page_content(lead_client), "escalated").startswith("Escalations 4+ ")


def test_hostile_ticket_and_note_are_escaped(lead_client: Client, ana: User) -> None:
    (assignment,) = send_to_review(make_ticket("<script>alert(1)</script>"))
    decisions.escalate(assignment, ana, note="<img src=x onerror=alert(2)>", key=uuid4())
    content = lead_page_content(lead_client)
    assert "<script>alert" not in content
    assert "<img src=x" not in content


def test_answered_ticket_leaves_the_inbox(lead_client: Client, ana: User, lea: User) -> None:
    escalate_ticket(ana, "Please decide.")
    answer(Assignment.objects.get(), lea)
    assert rows(lead_page_content(lead_client), "escalated") == []
    assert "Review these" not in lead_page_content(lead_client)


# Opening


def test_opening_an_item_shows_it_on_the_leads_screen(lead_client: Client, ana: User) -> None:
    escalate_ticket(ana, "not this one")
    ticket = escalate_ticket(ana, "but this one")
    part = lead_page_content(lead_client).split("but this one")[1]
    action, value = re.search(r'action="([^"]*)".*?name="lane" value="([^"]*)"', part, re.DOTALL).groups()
    assert action == reverse("review:take", args=[ticket.pk])
    response = lead_client.post(action, {"lane": value}, follow=True)
    assert response.redirect_chain == [(WORK, 302)]
    assert "but this one" in response.content.decode()


def test_inbox_links_to_the_leads_screen(lead_client: Client, ana: User) -> None:
    escalate_ticket(ana, "Please decide.")
    assert f'href="{WORK}">Review these' in lead_page_content(lead_client)


def test_ticket_open_with_another_lead_is_not_offered(lead_client: Client, ana: User) -> None:
    ticket = escalate_ticket(ana, "Please decide.")
    leases.lease_ticket(make_user("leo", "Lead"), ticket, Assignment.Lane.LEADS)
    (row,) = rows(lead_page_content(lead_client), "escalated")
    assert "Open with leo" in row
    assert "<button" not in row
    Assignment.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    assert "Open" in rows(lead_page_content(lead_client), "escalated")[0]


def test_lead_can_return_to_their_open_ticket(lead_client: Client, ana: User, lea: User) -> None:
    leases.lease_ticket(lea, escalate_ticket(ana, "Please decide."), Assignment.Lane.LEADS)
    assert "Open" in rows(lead_page_content(lead_client), "escalated")[0]


def test_lead_cannot_adjudicate_their_own_label(lead_client: Client, lea: User, ben: User) -> None:
    make_disagreement(lea, ben)
    (row,) = rows(lead_page_content(lead_client), "differing")
    assert "You answered or skipped it: for another lead" in row
    assert "<button" not in row


def test_lead_can_open_a_ticket_they_escalated(lead_client: Client, lea: User) -> None:
    escalate_ticket(lea, "I want to think about it.")
    assert "Open" in rows(lead_page_content(lead_client), "escalated")[0]


# Figures


def test_lead_page_interprets_the_agreement(lead_client: Client, ana: User, ben: User) -> None:
    configure_review(double_share=1)
    for number in range(20):
        first, second = send_to_review(make_ticket(distinct_text()))
        category = "Technical" if number % 2 else "Billing"
        answer(first, ana, category)
        answer(second, ben, "Account" if number < 2 else category)
    part = section(lead_page_content(lead_client), "agreement")
    assert "20 tickets of the last 90 days were labelled by two people each" in part
    assert "Category 90% (70 to 97)" in part
    assert re.search(r"0\.8\d \(0\.[5-6]\d to 1\.00\) reliable", part)
    assert "Sentiment 100% (84 to 100) unknown everyone gave the same label" in part
    assert "Billing 10 90% (60 to 98) Account" in part


def test_lead_page_shows_the_influence_of_the_suggestion(lead_client: Client, ana: User) -> None:
    for blind, category in ((0, "Billing"), (0, "Billing"), (1, "Technical"), (1, "Billing")):
        configure_review(blind_share=blind)
        ticket = make_ticket(distinct_text())
        (assignment,) = send_to_review(ticket, category=label("Billing").category, sentiment=label().sentiment)
        shown = Presented() if blind else Presented(prediction=ticket.predictions.get())
        answer(assignment, ana, category, shown=shown)
    part = section(lead_page_content(lead_client), "anchoring")
    assert "in 100% of 2 reviews when they see its suggestion, and in 50% of 2 blind reviews." in part
    assert "The difference is 50 points (-27 to 91). These reviews show no clear influence." in part
    assert "Bulk decisions are left out" in part


def test_lead_page_lists_agents_with_their_activity(lead_client: Client, ana: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    since = timezone.now() - timedelta(seconds=12)
    answer(assignment, ana, shown=Presented(since=since))
    escalate_ticket(ana, "Please decide.")
    part = section(lead_page_content(lead_client), "agents")
    assert "ana 2 12 0% 50% 0% 0% 50% – now" in part


def test_empty_lead_page_explains_each_section(lead_client: Client) -> None:
    content = lead_page_content(lead_client)
    assert "Tickets appear here when an agent escalates them" in section(content, "escalated")
    assert "Tickets appear here when two people label them" in section(content, "differing")
    assert "Once both have answered, their agreement" in section(content, "agreement")
    assert "Once there are reviews of both kinds" in section(content, "anchoring")
    assert "No decisions in the last 7 days." in section(content, "agents")
    assert "Review these" not in content


# Permissions and queries


@pytest.mark.parametrize("number", [1, 6])
def test_lead_page_takes_as_many_queries_for_any_inbox(
    lead_client: Client, ana: User, ben: User, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _time in range(number):
        escalate_ticket(ana, "Please decide.")
        make_disagreement(ana, ben)
    lead_client.get(LEAD)
    # Every page: session, person, permissions, gate. Four for the inbox; latest decisions, double
    # labels, adjudications, names of people.
    with django_assert_num_queries(12):
        lead_client.get(LEAD)


def test_lead_page_is_forbidden_to_agents_and_strangers(client: Client, ana: User, tom: User) -> None:
    for person in (ana, tom):
        client.force_login(person)
        assert client.get(LEAD).status_code == 403


def test_anonymous_visitors_are_sent_to_sign_in(client: Client) -> None:
    assert client.get(LEAD).status_code == 302


def test_lead_page_rejects_posts(lead_client: Client) -> None:
    assert lead_client.post(LEAD).status_code == 405
