"""A person's statistics above the review screen."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from classifier.models import Ticket
from review.models import Assignment, Decision
from review.screen import session_stats
from review.screen.session_stats import lead_agreement, session_stats_for
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, escalate, skip, undo

pytestmark = pytest.mark.usefixtures("single_reviews")


def decide(reviewer: User, *, seconds: float | None = None) -> Decision:
    decision = answer(send_to_review(make_ticket())[0], reviewer)
    Decision.objects.filter(pk=decision.pk).update(seconds=seconds)
    return decision


def pace_of(reviewer: User) -> tuple[int, float | None]:
    bar = session_stats_for(reviewer, "agents")
    return bar.done_today, bar.median_seconds


def test_statistics_start_empty(ana: User) -> None:
    assert pace_of(ana) == (0, None)


def test_statistics_count_todays_labels_and_give_the_median_time(ana: User, ben: User) -> None:
    for seconds in (3, 60, 5, None):
        decide(ana, seconds=seconds)
    decide(ben, seconds=100)
    assert pace_of(ana) == (4, 5)


def test_skipped_escalated_and_undone_tickets_are_not_counted_as_done(ana: User) -> None:
    decide(ana, seconds=4)
    undo(decide(ana, seconds=50), ana)
    skip(send_to_review(make_ticket())[0], ana)
    escalate(send_to_review(make_ticket())[0], ana)
    assert pace_of(ana) == (1, 4)


def test_median_time_is_taken_from_the_latest_labels(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_stats, "LATEST", 3)
    for seconds in (900, 900, 900, 900, 1, 2, 3):
        decide(ana, seconds=seconds)
    assert pace_of(ana) == (7, 2)


def test_waiting_tickets_of_the_lane_are_counted(ana: User) -> None:
    assignments = [send_to_review(make_ticket())[0] for _ticket in range(3)]
    escalate(assignments[0], ana)
    agents, leads = session_stats_for(ana, "agents"), session_stats_for(ana, "leads")
    assert (agents.waiting, agents.capped, leads.waiting) == (2, False, 1)


def test_waiting_count_stops_at_a_limit(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_stats, "COUNTED", 2)
    for _time in range(3):
        decide(ana)
    assert pace_of(ana)[0] == 2
    for _time in range(3):
        send_to_review(make_ticket())
    bar = session_stats_for(ana, "agents")
    assert (bar.waiting, bar.capped) == (1, True)


def test_day_starts_at_midnight_in_the_local_time_zone(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """20:30 UTC is 05:30 of the next day in Tokyo; 01:00 in Tokyo is 16:00 UTC."""
    now = datetime(2026, 5, 5, 20, 30, tzinfo=UTC)
    for hours in (1, 4, 6, 23):
        Decision.objects.filter(pk=decide(ana).pk).update(created_at=now - timedelta(hours=hours))
    # Keys rise with time.
    times = sorted(Decision.objects.values_list("created_at", flat=True))
    for decision, when in zip(Decision.objects.order_by("pk"), times, strict=True):
        Decision.objects.filter(pk=decision.pk).update(created_at=when)
    monkeypatch.setattr(timezone, "now", lambda: now)
    with timezone.override("UTC"):
        assert pace_of(ana)[0] == 3
    with timezone.override("Asia/Tokyo"):
        assert pace_of(ana)[0] == 2


def test_labels_of_yesterday_are_not_counted(ana: User) -> None:
    decide(ana)
    Decision.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert pace_of(ana) == (0, None)


def test_statistics_take_one_query(ana: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _time in range(3):
        decide(ana)
    with django_assert_num_queries(1):
        pace_of(ana)


# Lead agreement


def double(reviewer: User, other: User, first: str, second: str) -> Ticket:
    configure_review(double_share=1)
    ticket = make_ticket()
    for assignment, person, category in zip(send_to_review(ticket), (reviewer, other), (first, second), strict=True):
        answer(assignment, person, category)
    return ticket


def adjudicate(ticket: Ticket, lead: User, category: str) -> Decision:
    return answer(Assignment.objects.get(ticket=ticket, purpose="adjudication"), lead, category)


def test_lead_agreement_is_empty_before_an_adjudication(ana: User, ben: User) -> None:
    double(ana, ben, "Billing", "Technical")
    double(ana, ben, "Billing", "Billing")
    assert (lead_agreement(ana).n, lead_agreement(ana).share, lead_agreement(ana).percent) == (0, None, None)


def test_lead_agreement_counts_labels_that_a_lead_chose(ana: User, ben: User, lea: User) -> None:
    adjudicate(double(ana, ben, "Billing", "Technical"), lea, "Billing")
    adjudicate(double(ana, ben, "Account", "Technical"), lea, "Account")
    adjudicate(double(ben, ana, "Billing", "Technical"), lea, "General")
    assert (lead_agreement(ana).n, lead_agreement(ana).percent) == (3, 67)
    assert (lead_agreement(ben).n, lead_agreement(ben).percent) == (3, 0)


def test_lead_agreement_ignores_undone_adjudications(ana: User, ben: User, lea: User) -> None:
    word = adjudicate(double(ana, ben, "Billing", "Technical"), lea, "Billing")
    undo(word, lea)
    assert lead_agreement(ana).n == 0


def test_lead_agreement_uses_the_latest_double_labels(
    ana: User, ben: User, lea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chosen in ("Technical", "Billing", "Billing"):
        adjudicate(double(ana, ben, "Billing", "Technical"), lea, chosen)
    monkeypatch.setattr(session_stats, "DOUBLES", 2)
    assert (lead_agreement(ana).n, lead_agreement(ana).percent) == (2, 100)
    monkeypatch.setattr(session_stats, "SEARCHED_DECISIONS", 1)
    assert lead_agreement(ana).n == 1


def test_lead_agreement_takes_two_queries(
    ana: User, ben: User, lea: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _time in range(3):
        adjudicate(double(ana, ben, "Billing", "Technical"), lea, "Billing")
    with django_assert_num_queries(2):
        lead_agreement(ana)
