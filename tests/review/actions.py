"""Shortcuts for what reviewers do, and the invariants that must hold afterwards."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.models import Category, LanguageModel, Sentiment, Ticket
from classifier.taxonomy import label_changes
from review.models import Assignment, Decision, SkipReason
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.factories import send_to_review


def label(category: str = "Billing", sentiment: str = "Neutral") -> Label:
    return Label(Category.objects.get(name=category), Sentiment.objects.get(name=sentiment))


def answer(assignment: Assignment | None, person: User, *of_label: str, **values: Any) -> Decision:
    return decisions.decide(_existing(assignment), person, label(*of_label), **{"key": uuid4()} | values)


def skip(assignment: Assignment | None, person: User, **values: Any) -> Decision:
    return decisions.skip(_existing(assignment), person, SkipReason.UNCLEAR, **{"key": uuid4()} | values)


def escalate(assignment: Assignment | None, person: User, **values: Any) -> Decision:
    return decisions.escalate(_existing(assignment), person, note="Is this a threat?", **{"key": uuid4()} | values)


def _existing(assignment: Assignment | None) -> Assignment:
    assert assignment, "no assignment to answer"
    return assignment


def undo(decision: Decision, person: User) -> list[Decision]:
    return decisions.undo(decision, person, key=uuid4())


def reclassify(ticket: Ticket, **values: Any) -> list[Assignment]:
    """Classify the ticket again with another model; returns its open assignments."""
    queue_reclassification(ticket)
    language_model = LanguageModel.objects.exclude(pk__in=ticket.predictions.values("language_model")).first()
    return send_to_review(ticket, language_model=language_model, **values)


def queue_reclassification(*tickets: Ticket) -> None:
    label_changes.classify_again(Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]))


def reload(assignment: Assignment | None) -> Assignment:
    """The assignment with its ticket, as stored now."""
    return Assignment.objects.select_related("ticket").get(pk=_existing(assignment).pk)


def state(ticket: Ticket) -> str:
    return str(Ticket.objects.values_list("state", flat=True).get(pk=ticket.pk))


def expire_leases(*assignments: Assignment | None) -> None:
    """Let the leases of these assignments expire."""
    Assignment.objects.filter(pk__in=[_existing(assignment).pk for assignment in assignments]).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )


def count_queries(work: Callable[[], object]) -> int:
    """The queries of this call, without those of the transaction."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE", "SET")) for query in captured)


def run_concurrently(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at once in threads; returns their results or exceptions, in order."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = works[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_consistent() -> None:
    """Assignments, decisions and tickets in the database agree."""
    held_assignments = Counter(Assignment.objects.open().exclude(reviewer=None).values_list("reviewer", flat=True))
    assert max(held_assignments.values(), default=0) <= 1, "someone has two leases"
    labels: dict[int, list[Decision]] = {}
    for decision in Decision.objects.effective().labelled():
        labels.setdefault(decision.assignment_id, []).append(decision)
    for assignment in Assignment.objects.all():
        people = [decision.reviewer_id for decision in labels.get(assignment.pk, [])]
        assert people == ([assignment.reviewer_id] if assignment.state == Assignment.State.ANSWERED else []), (
            f"{assignment}: {people}"
        )
    for ticket in Ticket.objects.prefetch_related("assignments"):
        _assert_settled_or_asked(ticket)


def _assert_settled_or_asked(ticket: Ticket) -> None:
    states = Counter(assignment.state for assignment in ticket.assignments.all())
    if ticket.state == Ticket.State.SETTLED:
        final_decision = decisions.final_decision(ticket)
        assert states["open"] == 0, f"{ticket} is settled but has open assignments"
        assert final_decision, f"{ticket} is settled without a decision"
        assert (final_decision.category_id, final_decision.sentiment_id) == (ticket.category_id, ticket.sentiment_id)
    elif ticket.state == Ticket.State.NEEDS_REVIEW:
        assert states["open"] >= 1, f"{ticket} needs review but has no open assignment"
        assert not any(
            assignment.purpose == "review" and assignment.state == "answered" for assignment in ticket.assignments.all()
        )
