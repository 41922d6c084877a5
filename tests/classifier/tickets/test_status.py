"""Pages of a ticket in review, before and after its reviewers have answered."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Category, Sentiment, Ticket
from review.models import Assignment, Decision, SkipReason
from review.workflow import decisions
from review.workflow.decision_records import Label, Presented
from tests.factories import configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.usefixtures("catalogue")

INBOX = reverse("classifier:inbox")
LABELS = ["Billing", "Technical", "Account", "General", "Positive", "Neutral", "Negative"]


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def label(category: str, sentiment: str = "Negative") -> Label:
    return Label(Category.objects.get(name=category), Sentiment.objects.get(name=sentiment))


def decided(assignment: Assignment, person: User, category: str, **values: Any) -> Decision:
    return decisions.decide(assignment, person, label(category), key=uuid4(), **values)


@pytest.fixture
def sealed(catalogue: None, ana: User, ben: User) -> Ticket:
    """A sealed ticket: one reviewer has labelled it, another has escalated it with a note."""
    configure_review(double_share=1)
    first, second = send_to_review(
        make_ticket("Only the message."), confidence=0.62, reasoning="A secret of the model."
    )
    decided(first, ben, "Account", note="A secret of Ben.")
    decisions.escalate(second, ana, note="A secret of Ana.", key=uuid4())
    return first.ticket


SECRETS = [*LABELS, "0.62", "secret", "threshold", "corrected"]


def test_no_page_reveals_predictions_of_a_sealed_ticket(client: Client, sealed: Ticket, lea: User, admin: User) -> None:
    for person in (lea, admin):
        client.force_login(person)
        for url in (INBOX, sealed.get_absolute_url()):
            content = page(client, url)
            assert [secret for secret in SECRETS if secret in content] == []
            assert "hidden until reviewed" in content
            assert re.search("(?i)needs review: blind review", content)


def test_a_sealed_tickets_page_says_why_and_who_has_decided(agent_client: Client, sealed: Ticket) -> None:
    content = page(agent_client, sealed.get_absolute_url())
    assert "so that nobody is influenced" in content
    history = content.split("<h2>History</h2>")[1]
    assert re.findall(r"<strong>(\w+)</strong>: answered \(hidden for now\)", history) == ["ben", "ana"]


def test_a_sealed_tickets_page_does_not_depend_on_the_prediction(agent_client: Client) -> None:
    configure_review(blind_share=1)
    alike: dict[str, Any] = {"text": "The same.", "received_at": timezone.now()}
    (sure,) = send_to_review(make_ticket(pk=1_001, **alike), confidence=0.84)
    (torn,) = send_to_review(
        make_ticket(pk=1_002, **alike),
        confidence=0.1,
        category=Category.objects.get(name="General"),
        second=Category.objects.get(name="Account"),
    )

    def source(ticket: Ticket) -> str:
        content = page(agent_client, ticket.get_absolute_url()).replace(str(ticket.pk), "")
        return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", content)

    assert source(sure.ticket) == source(torn.ticket)


def test_a_settled_ticket_shows_what_people_say_not_the_model(agent_client: Client, ben: User) -> None:
    configure_review()
    (assignment,) = send_to_review(make_ticket(), confidence=0.62)
    decided(assignment, ben, "Account")
    row = page(agent_client, INBOX)
    assert "Account</span>" in row
    assert "Negative</span>" in row
    assert "Billing" not in row
    assert "0.62" not in row
    about, history = page(agent_client, assignment.ticket.get_absolute_url()).split("<h2>History</h2>")
    assert "Account</span>" in about
    assert "Billing" not in about
    assert "Billing | Positive (0.62)" in history


def test_a_ticket_is_unsealed_once_everybody_has_answered(agent_client: Client, ben: User) -> None:
    configure_review(blind_share=1)
    (assignment,) = send_to_review(make_ticket(), confidence=0.62)
    decided(assignment, ben, "Account", note="An owner writes.")
    history = page(agent_client, assignment.ticket.get_absolute_url()).split("<h2>History</h2>")[1]
    for shown in (
        "Billing | Positive (0.62)",
        "labelled",
        "Account</span>",
        "An owner writes.",
        "suggestions were hidden",
    ):
        assert shown in history, shown
    # Without a visible suggestion there is nothing to correct.
    assert "corrected" not in history


def test_the_history_shows_who_decided_what_and_why(agent_client: Client, ana: User, ben: User, lea: User) -> None:
    configure_review()
    (assignment,) = send_to_review(make_ticket())
    shown = Presented(prediction=assignment.ticket.predictions.get(), since=timezone.now() - timedelta(seconds=12))
    decisions.skip(assignment, ana, SkipReason.LANGUAGE, key=uuid4(), shown=shown)
    decisions.escalate(assignment, ben, note="<b>Legal</b> should\nlook.", key=uuid4(), shown=shown)
    decided(assignment, lea, "Account", shown=shown)
    history = page(agent_client, assignment.ticket.get_absolute_url()).split("<h2>History</h2>")[1]
    plain = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", history))
    for sentence in (
        "ana: skipped: I don&#x27;t read this language",
        "ben: escalated &lt;b&gt;Legal&lt;/b&gt; should look.",
        "lea: corrected Account Negative review, 12 s",
    ):
        assert sentence in plain, sentence


def test_the_history_keeps_and_marks_undone_decisions(agent_client: Client, ben: User) -> None:
    configure_review()
    (assignment,) = send_to_review(make_ticket())
    decision = decided(assignment, ben, "Account")
    decisions.undo(decision, ben, key=uuid4())
    history = page(agent_client, assignment.ticket.get_absolute_url()).split("<h2>History</h2>")[1]
    assert re.search("<s>corrected.*Account.*</s>.*undone<", history)
    assert "undid the decision of" in history


def test_a_long_history_costs_no_more_queries(agent_client: Client, ben: User, django_assert_num_queries: Any) -> None:
    configure_review()
    (assignment,) = send_to_review(make_ticket())
    for _time in range(10):
        decisions.undo(decided(assignment, ben, "Account"), ben, key=uuid4())
    # Session, user, two for permissions, ticket, verdict with its answers, three for history, decisions, gate.
    with django_assert_num_queries(9):
        assert page(agent_client, assignment.ticket.get_absolute_url()).count("undone") == 10


def test_a_ticket_page_offers_its_review_to_those_who_may(agent_client: Client, tom: User) -> None:
    configure_review()
    (assignment,) = send_to_review(make_ticket())
    take = f'action="{reverse("review:take", args=[assignment.ticket_id])}"'
    assert take in page(agent_client, assignment.ticket.get_absolute_url())
    tom.user_permissions.add(Permission.objects.get(codename="view_ticket"))
    decided(assignment, User.objects.get(username="ana"), "Account")
    assert take not in page(agent_client, assignment.ticket.get_absolute_url())
    agent_client.force_login(tom)
    (other,) = send_to_review(make_ticket())
    assert "Review this ticket" not in page(agent_client, other.ticket.get_absolute_url())
