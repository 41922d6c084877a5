"""Tickets auto-accepted since a change can be sent back to review."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import AuditDraw, Ticket
from review.certification import alarms, reopening
from review.models import Alarm, Assignment, Audit, Decision
from tests.review.actions import answer, assert_consistent
from tests.review.certification.scenes import alarmed, certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def needing_review(tickets: list[Ticket]) -> set[int]:
    return set(Ticket.objects.in_state("needs_review").filter(pk__in=keys(tickets)).values_list("pk", flat=True))


def keys(tickets: list[Ticket]) -> set[int]:
    return {ticket.pk for ticket in tickets}


@pytest.fixture
def early(ana: User) -> list[Ticket]:
    """Tickets auto-accepted before the change."""
    certified(ana)
    return passing(20)


@pytest.fixture
def late(early: list[Ticket]) -> list[Ticket]:
    """Tickets auto-accepted since the change."""
    return passing(20)


@pytest.fixture
def alarm(early: list[Ticket], late: list[Ticket]) -> Alarm:
    return alarmed(since=AuditDraw.objects.get(verdict__ticket=early[-1]).pk + 1)


@pytest.mark.postgresql
def test_tickets_since_the_change_return_to_review_with_an_assignment_each(
    early: list[Ticket], late: list[Ticket], alarm: Alarm
) -> None:
    assert reopening.reopen_tickets(alarm) == len(late)
    assert needing_review(late) == keys(late)
    assert needing_review(early) == set()
    assignments = Assignment.objects.open().filter(ticket__in=late)
    assert sorted(assignments.values_list("ticket", flat=True)) == sorted(keys(late))
    assert set(assignments.values_list("purpose", flat=True)) == {"review"}
    assert_consistent()


@pytest.mark.postgresql
def test_the_ticket_page_says_why_it_was_sent_back(late: list[Ticket], alarm: Alarm, client: Client, lea: User) -> None:
    reopening.reopen_tickets(alarm)
    client.force_login(lea)
    page = client.get(late[0].get_absolute_url()).content.decode()
    assert "Needs review: auto-accepted earlier, sent back for review" in page


@pytest.mark.postgresql
def test_answers_to_reopened_tickets_are_not_evidence(late: list[Ticket], alarm: Alarm, ana: User) -> None:
    before = Audit.objects.count()
    reopening.reopen_tickets(alarm)
    answer(Assignment.objects.open().get(ticket=late[0]), ana)
    assert Audit.objects.count() == before


def test_reopening_again_asks_about_no_ticket_twice(late: list[Ticket], alarm: Alarm) -> None:
    reopening.reopen_tickets(alarm)
    assignments = Assignment.objects.count()
    assert reopening.reopen_tickets(alarm) == 0
    assert Assignment.objects.count() == assignments


def test_tickets_settled_meanwhile_stay_settled(late: list[Ticket], alarm: Alarm, ana: User) -> None:
    reopening.reopen_tickets(alarm)
    answer(Assignment.objects.open().get(ticket=late[0]), ana)
    assert reopening.reopen_tickets(alarm) == 0
    assert Ticket.objects.get(pk=late[0].pk).state == "settled"
    assert Decision.objects.filter(ticket=late[0]).count() == 1


def test_tickets_that_change_before_the_update_are_left_alone(
    late: list[Ticket], alarm: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = alarms.auto_accepted_since(alarm)
    Ticket.objects.filter(pk=late[0].pk).update(sealed=True)
    Ticket.objects.filter(pk=late[1].pk).update(state="new")
    monkeypatch.setattr(alarms, "auto_accepted_since", lambda alarm: accepted)
    assert reopening.reopen_tickets(alarm) == len(late) - 2
    assert needing_review(late) == keys(late[2:])


def test_pending_audits_are_left_alone(alarm: Alarm) -> None:
    pending = set(Audit.objects.pending().values_list("ticket", flat=True))
    assert pending
    reopening.reopen_tickets(alarm)
    assert set(Audit.objects.pending().values_list("ticket", flat=True)) == pending
    assert Ticket.objects.filter(pk__in=pending, sealed=True).count() == len(pending)


def test_many_tickets_are_reopened_in_batches(
    late: list[Ticket], alarm: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reopening, "BATCH_SIZE", 3)
    assert reopening.reopen_tickets(alarm) == len(late)
    assert needing_review(late) == keys(late)
