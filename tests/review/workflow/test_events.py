"""Webhooks hear of decisions and certificates."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import Event, Ticket, Webhook
from review.gold import disputes, gold_labels
from review.models import Assignment, GoldLabel
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, undo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def make_webhook() -> Webhook:
    return Webhook.objects.create(name="CRM", url="http://127.0.0.1:9/hook", secret_env="HOOK_SECRET")


def events(ticket: Ticket) -> list[tuple[str, Any, bool]]:
    """(kind, category, sealed) of the ticket's events, in order."""
    rows = Event.objects.filter(ticket=ticket).order_by("pk")
    return [(event.kind.partition(".")[2], event.data["category"], event.data["sealed"]) for event in rows]


def open_assignments(**shares: float) -> list[Assignment]:
    configure_review(**shares)
    return send_to_review(make_ticket())


def test_webhooks_hear_of_a_decision_and_its_undo(ana: User) -> None:
    make_webhook()
    (assignment,) = open_assignments()
    undo(answer(assignment, ana, "Technical"), ana)
    assert events(assignment.ticket) == [
        ("classified", "Billing", False),
        ("decided", "Technical", False),
        ("reopened", "Billing", False),
    ]
    decided = Event.objects.get(kind="ticket.decided").data
    assert (decided["state"], decided["confidence"], decided["model"]) == ("settled", None, None)


def test_webhooks_hear_no_label_before_both_have_answered(ana: User, ben: User) -> None:
    make_webhook()
    first, second = open_assignments(double_share=1)
    answer(first, ana)
    assert events(first.ticket) == [("classified", None, True)]
    answer(second, ben)
    assert events(first.ticket)[1:] == [("decided", "Billing", False)]


def test_webhooks_hear_no_label_while_it_is_disputed(ana: User, lea: User) -> None:
    make_webhook()
    (assignment,) = open_assignments()
    answer(assignment, ana)
    gold_labels.collect_from_decisions()
    disputes.dispute(GoldLabel.objects.get(ticket=assignment.ticket), lea)
    assert events(assignment.ticket)[-1] == ("reopened", None, True)


def test_decision_without_subscribers_takes_one_extra_query(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from review.workflow import routing

    (assignment,) = open_assignments()
    with CaptureQueriesContext(connection) as with_it:
        answer(assignment, ana)
    monkeypatch.setattr(routing, "announce", lambda *_given: None)
    (assignment,) = open_assignments()
    with CaptureQueriesContext(connection) as without:
        answer(assignment, ana)
    assert len(with_it) == len(without) + 1
    assert not Event.objects.exists()
