"""Messages about the outcome of an answer, and what they must not reveal."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation

from review.models import Assignment
from review.screen import submit
from review.workflow import decisions, leases
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, escalate, reload

pytestmark = pytest.mark.usefixtures("catalogue")


def test_model_answer_is_not_revealed_while_another_label_is_awaited(ana: User, ben: User) -> None:
    configure_review(double_share=1, reveal=True)
    send_to_review(make_ticket())
    first = leases.lease_next(ana)
    assert first
    assert "The model said" not in submit.outcome_of(answer(first, ana, "Account"), has_no_duplicates=True).text
    second = leases.lease_next(ben)
    assert second
    assert "The model said" in submit.outcome_of(answer(second, ben, "Account"), has_no_duplicates=True).text


def test_undo_by_a_lead_returns_to_the_ticket_in_the_leads_lane(ana: User, lea: User, client: Client) -> None:
    configure_review()
    send_to_review(make_ticket("one"), make_ticket("two"))
    escalate(leases.lease_next(ana), ana)
    assignment = leases.lease_next(lea, "leads")
    answer(assignment, lea)
    client.force_login(lea)
    response = client.post(reverse("review:undo"), {"key": uuid4()})
    assert response.headers["Location"] == reverse("review:lead_screen")
    client.get(response.headers["Location"])
    assert Assignment.objects.held_by(lea).get() == reload(assignment)


def test_single_undo_of_a_bulk_decision_says_so(ana: User) -> None:
    configure_review()
    (decision,) = decisions.decide_many(send_to_review(make_ticket()), ana)
    key = uuid4()
    for _time in range(2):
        assert submit.undo(decision, ana, key).text == "1 decision undone."
    assert not Assignment.objects.held_by(ana).exists()
    with translation.override("de"):
        (decision,) = decisions.decide_many(list(Assignment.objects.open()), ana)
        assert submit.undo(decision, ana, uuid4()).text == "1 Entscheidung rückgängig gemacht."


def test_resent_undo_names_the_reopened_ticket(ana: User) -> None:
    """An unnamed undo means the latest decision, which has changed by the second request."""
    configure_review()
    send_to_review(make_ticket("one"), make_ticket("two"))
    first, second = (answer(leases.lease_next(ana), ana) for _number in range(2))
    key = uuid4()
    for decision in (second, first):
        text = submit.undo(decision, ana, key).text
        assert text == f"Undone. Ticket {second.ticket_id} is open again."
