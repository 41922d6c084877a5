"""Looking back: tickets that passed since something changed go to people after all."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import AuditDraw, Ticket
from review.certification import alarms, reopening
from review.models import Alarm, Assignment, Audit, Decision
from tests.review.actions import answer, assert_consistent
from tests.review.certification.scenes import alarmed, certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


def held(tickets: list[Ticket]) -> set[int]:
    return set(Ticket.objects.in_state("needs_review").filter(pk__in=keys(tickets)).values_list("pk", flat=True))


def keys(tickets: list[Ticket]) -> set[int]:
    return {one.pk for one in tickets}


@pytest.fixture
def early(ana: User) -> list[Ticket]:
    """What passed before anything changed."""
    certified(ana)
    return passing(20)


@pytest.fixture
def late(early: list[Ticket]) -> list[Ticket]:
    """What passed since it changed."""
    return passing(20)


@pytest.fixture
def alarm(early: list[Ticket], late: list[Ticket]) -> Alarm:
    return alarmed(since=AuditDraw.objects.get(verdict__ticket=early[-1]).pk + 1)


def test_what_passed_since_comes_back_with_a_assignment_each(
    early: list[Ticket], late: list[Ticket], alarm: Alarm
) -> None:
    assert reopening.reopen_tickets(alarm) == len(late)
    assert held(late) == keys(late)
    assert held(early) == set()
    assignments = Assignment.objects.open().filter(ticket__in=late)
    assert sorted(assignments.values_list("ticket", flat=True)) == sorted(keys(late))
    assert set(assignments.values_list("purpose", flat=True)) == {"review"}
    assert_consistent()


def test_its_page_says_why_it_is_in_review(late: list[Ticket], alarm: Alarm, client: Client, lea: User) -> None:
    reopening.reopen_tickets(alarm)
    client.force_login(lea)
    page = client.get(late[0].get_absolute_url()).content.decode()
    assert "Needs review: auto-accepted earlier, sent back for review" in page


def test_it_is_not_evidence(late: list[Ticket], alarm: Alarm, ana: User) -> None:
    before = Audit.objects.count()
    reopening.reopen_tickets(alarm)
    answer(Assignment.objects.open().get(ticket=late[0]), ana)
    assert Audit.objects.count() == before


def test_called_again_it_asks_about_no_ticket_twice(late: list[Ticket], alarm: Alarm) -> None:
    reopening.reopen_tickets(alarm)
    assignments = Assignment.objects.count()
    assert reopening.reopen_tickets(alarm) == 0
    assert Assignment.objects.count() == assignments


def test_what_somebody_settled_meanwhile_is_left_alone(late: list[Ticket], alarm: Alarm, ana: User) -> None:
    reopening.reopen_tickets(alarm)
    answer(Assignment.objects.open().get(ticket=late[0]), ana)
    assert reopening.reopen_tickets(alarm) == 0
    assert Ticket.objects.get(pk=late[0].pk).state == "settled"
    assert Decision.objects.filter(ticket=late[0]).count() == 1


def test_what_moves_on_between_asking_and_writing_is_left_alone(
    late: list[Ticket], alarm: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = alarms.auto_accepted_since(alarm)
    Ticket.objects.filter(pk=late[0].pk).update(sealed=True)
    Ticket.objects.filter(pk=late[1].pk).update(state="new")
    monkeypatch.setattr(alarms, "auto_accepted_since", lambda alarm: passed)
    assert reopening.reopen_tickets(alarm) == len(late) - 2
    assert held(late) == keys(late[2:])


def test_audits_go_on_as_they_are(alarm: Alarm) -> None:
    pending = set(Audit.objects.pending().values_list("ticket", flat=True))
    assert pending
    reopening.reopen_tickets(alarm)
    assert set(Audit.objects.pending().values_list("ticket", flat=True)) == pending
    assert Ticket.objects.filter(pk__in=pending, sealed=True).count() == len(pending)


def test_it_goes_chunk_by_chunk(late: list[Ticket], alarm: Alarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopening, "BATCH_SIZE", 3)
    assert reopening.reopen_tickets(alarm) == len(late)
    assert held(late) == keys(late)
