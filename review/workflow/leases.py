"""Leases assignments to people: a lease ends at a set time, so an abandoned assignment returns to the queue.

A person has at most one leased assignment, and an assignment at most one lease; the database enforces both.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.database.sql import columns, fetch_objects
from classifier.models import Ticket
from review.models import Assignment, ReviewSettings
from review.models.assignment import AssignmentQuerySet

P = ParamSpec("P")
T = TypeVar("T")


class NotAvailable(Exception):
    """Someone else has the ticket open, or it needs no review."""


class UnavailableWork(NamedTuple):
    """Open assignments that this person cannot get, both counted up to a limit."""

    leased_to_others: int
    skipped_or_answered: int


def retry_on_conflict(function: Callable[P, T]) -> Callable[P, T]:
    """Retry once if the same person leased another assignment in a second tab, which a constraint detects."""

    @wraps(function)
    def retried(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except IntegrityError:
            return function(*args, **kwargs)

    return retried


@retry_on_conflict
def lease_next(
    reviewer: User, lane: str = Assignment.Lane.AGENTS, review_settings: ReviewSettings | None = None
) -> Assignment | None:
    """Return the person's leased assignment, or lease the next one of the lane; None if none is free.

    Nearly always one statement, which is its own transaction. A lease in another lane is released first, which takes a
    second statement.
    """
    review_settings = review_settings or ReviewSettings.current()
    assignment = _leased(reviewer, lane, review_settings)
    if assignment and not assignment.reviewer_id:
        assignment = _leased(reviewer, lane, review_settings)
    return assignment or _wait(reviewer, lane, review_settings)


# Someone else may take an assignment with an expired lease at the same moment; PostgreSQL then checks the last
# condition again.
_LEASED = """
UPDATE review_assignment SET reviewer_id = CASE WHEN lane = %(lane)s THEN CAST(%(reviewer)s AS integer) END,
    leased_until = CASE WHEN lane = %(lane)s THEN {time} END,
    taken_at = CASE WHEN reviewer_id = %(reviewer)s THEN taken_at ELSE %(now)s END
WHERE id = COALESCE((SELECT id FROM review_assignment WHERE reviewer_id = %(reviewer)s AND state = 'open'),
        (SELECT id FROM review_assignment s WHERE {free} AND due_at <= %(soon)s ORDER BY due_at LIMIT 1{passing}),
        (SELECT id FROM review_assignment s WHERE {free} ORDER BY value DESC, id LIMIT 1{passing}))
    AND state = 'open' AND (reviewer_id IS NULL OR reviewer_id = %(reviewer)s OR leased_until <= %(now)s){unflushed}
RETURNING {columns}"""
# As `_free_for`, in SQL.
_FREE = """
    state = 'open' AND lane = %(lane)s AND (reviewer_id IS NULL OR leased_until <= %(now)s)
    AND (excluded_reviewer_id IS NULL OR excluded_reviewer_id <> %(reviewer)s)
    AND (skipped_by_id IS NULL OR skipped_by_id <> %(reviewer)s)
    AND (purpose = 'review' OR NOT EXISTS (SELECT 1 FROM review_assignment beside
        WHERE beside.ticket_id = s.ticket_id AND beside.reviewer_id = %(reviewer)s AND beside.state = 'answered'))"""
# Losing the latest leases in a crash is harmless (their assignments are free again), so no commit waits for the disk.
_UNFLUSHED = " AND set_config('synchronous_commit', 'off', true) = 'off'"


def _leased(reviewer: User, lane: str, review_settings: ReviewSettings) -> Assignment | None:
    """The person's leased assignment, else the first free one: due soon first, then by priority."""
    now, postgresql = timezone.now(), connection.vendor == "postgresql"
    sql = _LEASED.format(
        columns=columns(Assignment),
        free=_FREE,
        time="CAST(%(until)s AS timestamptz)" if postgresql else "%(until)s",
        passing=" FOR UPDATE SKIP LOCKED" if postgresql else "",
        unflushed=_UNFLUSHED if postgresql and not connection.in_atomic_block else "",
    )
    times = {"now": now, "soon": now + review_settings.urgent, "until": now + review_settings.lease}
    leased = fetch_objects(Assignment, sql, {"lane": lane, "reviewer": reviewer.pk, **times})
    return next((assignment for assignment, _nothing in leased), None)


@transaction.atomic(durable=True)
def _wait(reviewer: User, lane: str, review_settings: ReviewSettings) -> Assignment | None:
    """When every free row is locked, wait for the locks instead of skipping them."""
    now = timezone.now()
    free = _free_for(reviewer, lane, now)
    assignments = list(free.filter(due_at__lte=now + review_settings.urgent).order_by("due_at")[:1])
    assignments = assignments or list(free.order_by("-value", "pk")[:1])
    # The person may have leased an assignment in another tab meanwhile.
    assignments = assignments or list(Assignment.objects.held_by(reviewer).select_for_update()[:1])
    return _lease(assignments[0], reviewer, now, review_settings) if assignments else None


def _free_for(reviewer: User, lane: str, now: datetime) -> AssignmentQuerySet:
    free = Assignment.objects.in_lane(lane).free(now).answerable_by(reviewer)
    return free.select_for_update(of=("self",))


@retry_on_conflict
@transaction.atomic(durable=True)
def lease_ticket(reviewer: User, ticket: Ticket, lane: str = Assignment.Lane.AGENTS) -> Assignment:
    """Lease this ticket and release the person's previous one. Raises NotAvailable."""
    assignments = (
        Assignment.objects.in_lane(lane).open().filter(ticket=ticket).select_for_update(of=("self",)).order_by("number")
    )
    mine = assignments.filter(reviewer=reviewer)
    # The second request of a double click waits for the first, then finds the lease.
    assignment = mine.first() or assignments.free(timezone.now()).answerable_by(reviewer).first() or mine.first()
    if assignment is None:
        raise NotAvailable
    return hand_over(reviewer, assignment)


def hand_over(reviewer: User, assignment: Assignment) -> Assignment:
    """Lease an assignment to this person instead of their previous one; the caller has locked it."""
    _free(Assignment.objects.held_by(reviewer).exclude(pk=assignment.pk))
    return _lease(assignment, reviewer, timezone.now(), ReviewSettings.current())


def renew(reviewer: User, assignment_pk: int) -> bool:
    """Extend the lease. Returns False if the person no longer holds it."""
    until = timezone.now() + ReviewSettings.current().lease
    return bool(Assignment.objects.held_by(reviewer).filter(pk=assignment_pk).update(leased_until=until))


def release(reviewer: User) -> None:
    """Release the person's lease."""
    _free(Assignment.objects.held_by(reviewer))


def unavailable_work(reviewer: User, lane: str = Assignment.Lane.AGENTS) -> UnavailableWork:
    """Count what is open but not available to this person (two queries)."""
    waiting = Assignment.objects.in_lane(lane).open()
    leased = waiting.filter(reviewer__isnull=False, leased_until__gt=timezone.now()).count_to()
    return UnavailableWork(leased, max(waiting.count_to() - leased, 0))


@transaction.atomic(durable=True)
def reoffer_skipped(reviewer: User) -> int:
    """Offer the tickets this person skipped to them again. Returns the number of assignments."""
    skipped = Assignment.objects.open().filter(skipped_by=reviewer).select_for_update(skip_locked=True)
    return Assignment.objects.filter(pk__in=list(skipped.values_list("pk", flat=True))).update(skipped_by=None)


def _lease(assignment: Assignment, reviewer: User, now: datetime, review_settings: ReviewSettings) -> Assignment:
    if assignment.state != Assignment.State.OPEN or assignment.reviewer_id != reviewer.pk:
        assignment.taken_at = now
    assignment.reviewer, assignment.leased_until = reviewer, now + review_settings.lease
    values = {"reviewer": reviewer, "leased_until": assignment.leased_until, "taken_at": assignment.taken_at}
    Assignment.objects.filter(pk=assignment.pk).update(**values)
    return assignment


def _free(assignments: AssignmentQuerySet) -> None:
    assignments.update(reviewer=None, leased_until=None)
