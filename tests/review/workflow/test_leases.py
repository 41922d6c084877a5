"""Leases: the order of work, expiry, and what remains for whom."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.models import Category
from review.models import Assignment
from review.workflow import leases
from review.workflow.leases import NotAvailable, UnavailableWork
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, count_queries, escalate, expire_leases, reload, skip

pytestmark = [pytest.mark.usefixtures("consistent_reviews"), pytest.mark.postgresql]


def due(minutes: float) -> datetime:
    return timezone.now() + timedelta(minutes=minutes)


def minutes_left(assignment: Assignment | None) -> float:
    """Minutes until the lease expires."""
    assert assignment
    assert assignment.leased_until
    return (assignment.leased_until - timezone.now()) / timedelta(minutes=1)


def lease_in_turn(*people: User) -> list[Assignment]:
    """Lease the next ticket for each person in turn."""
    return [assignment for assignment in map(leases.lease_next, people) if assignment]


def test_the_most_informative_ticket_comes_first(ana: User, ben: User, lea: User) -> None:
    sure, unsure, disputed = (
        send_to_review(make_ticket("one"), confidence=0.8)[0],
        send_to_review(make_ticket("two"), confidence=0.2)[0],
        send_to_review(make_ticket("three"), confidence=0.4, second=Category.objects.last())[0],
    )
    assert lease_in_turn(ana, ben, lea) == [disputed, unsure, sure]


def test_the_older_of_two_equal_tickets_comes_first(ana: User, ben: User) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    assert lease_in_turn(ana, ben) == assignments


def test_tickets_due_soon_come_first_by_due_time(ana: User, ben: User, lea: User, tom: User) -> None:
    valuable, far, soon, late = (
        send_to_review(make_ticket("one"), confidence=0.1)[0],
        send_to_review(make_ticket("two", due_at=due(61)), confidence=0.5)[0],
        send_to_review(make_ticket("three", due_at=due(59)), confidence=0.8)[0],
        send_to_review(make_ticket("four", due_at=due(-5)), confidence=0.8)[0],
    )
    assert lease_in_turn(ana, ben, lea, tom) == [late, soon, valuable, far]


def test_urgency_follows_the_review_settings(ana: User) -> None:
    send_to_review(make_ticket("one"), confidence=0.1)
    (due_in_an_hour,) = send_to_review(make_ticket("two", due_at=due(60)), confidence=0.8)
    configure_review(urgent_minutes=61)
    assert leases.lease_next(ana) == due_in_an_hour


def test_leased_ticket_is_not_given_to_another_person(ana: User, ben: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    assert leases.lease_next(ana) == assignment
    assert leases.lease_next(ben) is None


def test_lease_next_returns_the_leased_ticket_with_a_new_lease(ana: User) -> None:
    send_to_review(make_ticket("one"), make_ticket("two"))
    first = leases.lease_next(ana)
    Assignment.objects.filter(pk=first.pk).update(leased_until=due(1))
    second = leases.lease_next(ana)
    assert second == first
    assert minutes_left(second) > 9


def test_expired_lease_frees_the_ticket(ana: User, ben: User) -> None:
    send_to_review(make_ticket())
    assignment = leases.lease_next(ana)
    expire_leases(assignment)
    assert leases.lease_next(ben) == assignment
    assert reload(assignment).reviewer == ben
    assert leases.lease_next(ana) is None


def test_expired_lease_can_be_renewed_until_another_person_takes_it(ana: User, ben: User) -> None:
    send_to_review(make_ticket())
    assignment = leases.lease_next(ana)
    expire_leases(assignment)
    assert leases.lease_next(ana) == assignment
    assert leases.lease_next(ben) is None


def test_lease_lasts_as_long_as_the_review_settings_say(ana: User) -> None:
    configure_review(lease_minutes=3)
    send_to_review(make_ticket())
    assert 2.9 < minutes_left(leases.lease_next(ana)) <= 3


def test_renewed_lease_does_not_expire(ana: User, ben: User) -> None:
    send_to_review(make_ticket())
    assignment = leases.lease_next(ana)
    expire_leases(assignment)
    assert leases.renew(ana, assignment.pk)
    assert leases.lease_next(ben) is None


def test_a_lease_taken_over_by_another_cannot_be_renewed(ana: User, ben: User) -> None:
    send_to_review(make_ticket())
    assignment = leases.lease_next(ana)
    expire_leases(assignment)
    leases.lease_next(ben)
    assert not leases.renew(ana, assignment.pk)
    assert reload(assignment).reviewer == ben


def test_a_released_ticket_is_free_for_others_at_once(ana: User, ben: User) -> None:
    send_to_review(make_ticket())
    assignment = leases.lease_next(ana)
    leases.release(ana)
    assert leases.lease_next(ben) == assignment


def test_leasing_a_ticket_releases_the_previous_one(ana: User, ben: User) -> None:
    first, second = send_to_review(make_ticket("one"), make_ticket("two"))
    assert leases.lease_next(ana) == first
    assert leases.lease_ticket(ana, second.ticket) == second
    assert leases.lease_next(ana) == second
    assert leases.lease_next(ben) == first


def test_leasing_the_same_ticket_restarts_the_lease(ana: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    leases.lease_ticket(ana, assignment.ticket)
    expire_leases(assignment)
    assert minutes_left(leases.lease_ticket(ana, assignment.ticket)) > 9


def test_refused_lease_keeps_the_current_one(ana: User, ben: User) -> None:
    first, second = send_to_review(make_ticket("one"), make_ticket("two"))
    leases.lease_ticket(ana, first.ticket)
    leases.lease_ticket(ben, second.ticket)
    with pytest.raises(NotAvailable):
        leases.lease_ticket(ana, second.ticket)
    assert leases.lease_next(ana) == first
    expire_leases(second)
    assert leases.lease_ticket(ana, second.ticket) == second


def test_answered_ticket_cannot_be_leased(ana: User, ben: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    answer(assignment, ana)
    with pytest.raises(NotAvailable):
        leases.lease_ticket(ben, assignment.ticket)


def test_agents_do_not_get_tickets_of_the_leads_lane(ana: User, ben: User, lea: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    escalate(leases.lease_next(ana), ana)
    assert leases.lease_next(ben) is None
    with pytest.raises(NotAvailable):
        leases.lease_ticket(ben, assignment.ticket)
    assert leases.lease_next(lea, "leads") == assignment


def test_changing_lanes_releases_the_lease(ana: User, lea: User) -> None:
    first, second = send_to_review(make_ticket("one"), make_ticket("two"))
    escalate(leases.lease_next(ana), ana)
    assert leases.lease_next(lea) == second
    assert leases.lease_next(lea, "leads") == first
    assert reload(second).reviewer is None
    assert leases.lease_next(lea) == second
    assert reload(first).reviewer is None


def test_empty_queue_has_no_unavailable_work(ana: User) -> None:
    assert leases.lease_next(ana) is None
    assert leases.unavailable_work(ana) == UnavailableWork(0, 0)


def test_unavailable_work_tells_leased_from_skipped_tickets(ana: User, ben: User) -> None:
    send_to_review(*(make_ticket(f"number {word}") for word in ("one", "two", "three")))
    for _ticket in range(2):
        skip(leases.lease_next(ana), ana)
    leases.lease_next(ben)
    answer(leases.lease_next(ana), ana)
    assert leases.lease_next(ana) is None
    assert leases.unavailable_work(ana) == UnavailableWork(leased_to_others=1, skipped_or_answered=1)


def test_skipped_ticket_with_an_expired_lease_counts_as_skipped(ana: User, ben: User) -> None:
    send_to_review(make_ticket())
    skip(leases.lease_next(ana), ana)
    expire_leases(leases.lease_next(ben))
    assert leases.lease_next(ana) is None
    assert leases.unavailable_work(ana) == UnavailableWork(leased_to_others=0, skipped_or_answered=1)


def test_other_assignment_of_an_answered_ticket_counts_as_unavailable(ana: User) -> None:
    configure_review(double_share=1)
    send_to_review(make_ticket())
    answer(leases.lease_next(ana), ana)
    assert leases.lease_next(ana) is None
    assert leases.unavailable_work(ana) == UnavailableWork(leased_to_others=0, skipped_or_answered=1)
    assert leases.reoffer_skipped(ana) == 0


def test_single_agent_can_review_skipped_tickets_again(ana: User) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    for _assignment in assignments:
        skip(leases.lease_next(ana), ana)
    assert leases.lease_next(ana) is None
    assert leases.reoffer_skipped(ana) == 2
    assert leases.reoffer_skipped(ana) == 0
    for assignment in assignments:
        assert leases.lease_next(ana) == assignment
        answer(assignment, ana)


def test_two_skips_by_one_person_do_not_involve_a_lead(ana: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    skip(leases.lease_next(ana), ana)
    leases.reoffer_skipped(ana)
    skip(leases.lease_next(ana), ana)
    assert reload(assignment).lane == "agents"


def test_reoffering_returns_only_the_persons_own_skips(ana: User, ben: User) -> None:
    first, second = send_to_review(make_ticket("one"), make_ticket("two"))
    skip(first, ana)
    skip(second, ben)
    leases.reoffer_skipped(ana)
    assert (leases.lease_next(ana), leases.lease_next(ben)) == (first, None)


def test_skip_by_a_lead_can_be_reoffered(ana: User, lea: User) -> None:
    first, second = send_to_review(make_ticket("one"), make_ticket("two"))
    for _assignment in (first, second):
        escalate(leases.lease_next(ana), ana)
    skip(leases.lease_next(lea, "leads"), lea)
    assert leases.lease_next(lea, "leads") == second
    answer(second, lea)
    assert leases.lease_next(lea, "leads") is None
    assert leases.unavailable_work(lea, "leads") == UnavailableWork(leased_to_others=0, skipped_or_answered=1)
    assert leases.reoffer_skipped(lea) == 1
    assert leases.lease_next(lea, "leads") == first


def test_lead_can_review_a_ticket_they_escalated(lea: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    escalate(leases.lease_next(lea), lea)
    assert leases.lease_next(lea, "leads") == assignment


def test_unavailable_work_is_counted_up_to_a_limit() -> None:
    send_to_review(*(make_ticket(f"number {number}") for number in range(5)))
    assert Assignment.objects.open().count_to(3) == 3
    assert Assignment.objects.open().count_to(9) == 5


def test_database_allows_one_lease_per_person(ana: User) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    leases.lease_next(ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments]).update(reviewer=ana)


@pytest.mark.parametrize("waiting", [10, 1_000])
def test_lease_next_takes_two_queries_for_any_queue_length(ana: User, ben: User, waiting: int) -> None:
    send_to_review(*(make_ticket(f"number {number}") for number in range(waiting)))
    leases.lease_next(ben)
    assert count_queries(lambda: leases.lease_next(ana)) == 2, "settings, lease"
    assert count_queries(lambda: leases.lease_next(ana)) == 2, "settings, current lease"
    assert count_queries(lambda: leases.renew(ana, 1)) == 2
    assert count_queries(lambda: leases.unavailable_work(ana)) == 2
    assert count_queries(lambda: leases.reoffer_skipped(ben)) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite waits for no disk")
@pytest.mark.django_db(transaction=True)
def test_only_leases_are_committed_asynchronously(ana: User, ben: User) -> None:
    """Later statements and enclosing transactions still wait for the disk."""
    send_to_review(make_ticket(), make_ticket())
    with CaptureQueriesContext(connection) as asked:
        assert leases.lease_next(ana)
    assert "synchronous_commit" in asked.captured_queries[-1]["sql"]
    with transaction.atomic():
        assert leases.lease_next(ben)
        assert synchronous() == "on"
    assert synchronous() == "on"


def synchronous() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
