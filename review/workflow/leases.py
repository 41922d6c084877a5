"""Who has which ticket in hand. A lease is a time: an assignment that its person leaves comes back by itself.

A person has at most one assignment in hand, and an assignment is in one person's hands; the database sees to both.
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
    """The ticket cannot be had: another person has it in hand, or nobody is asked any more."""


class UnavailableWork(NamedTuple):
    """Why somebody gets nothing while tickets wait: how many are in others' hands, and how many this person skipped
    or has answered for already, both counted up to a limit.
    """

    leased_to_others: int
    skipped_or_answered: int


def retry_on_conflict(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb that begins anew where the same person was faster in another tab, which a constraint tells."""

    @wraps(verb)
    def begun_anew(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except IntegrityError:
            return verb(*args, **kwargs)

    return begun_anew


@retry_on_conflict
def lease_next(
    reviewer: User, lane: str = Assignment.Lane.AGENTS, review_settings: ReviewSettings | None = None
) -> Assignment | None:
    """The assignment that this person has in hand, else the next of the lane, taken for the time of a lease.

    Nearly always it is one statement, of which the database makes the transaction. What is in hand in another lane is
    let go by it, and then it takes a second one.
    """
    review_settings = review_settings or ReviewSettings.current()
    assignment = _leased(reviewer, lane, review_settings)
    if assignment and not assignment.reviewer_id:
        assignment = _leased(reviewer, lane, review_settings)
    return assignment or _wait(reviewer, lane, review_settings)


# Where a lease has run out, somebody else may take the assignment at this very moment: the last condition is looked at
# again once they have.
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
# A server that breaks down may forget the latest leases, whose assignments are free again then; nobody waits for its
# disk.
_UNFLUSHED = " AND set_config('synchronous_commit', 'off', true) = 'off'"


def _leased(reviewer: User, lane: str, review_settings: ReviewSettings) -> Assignment | None:
    """What is in hand, else in the order of work: what is due soon, then what is worth most; what others are at is
    passed over.
    """
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
    """Where nothing is free at once, wait whether others leave what they are at."""
    now = timezone.now()
    free = _free_for(reviewer, lane, now)
    assignments = list(free.filter(due_at__lte=now + review_settings.urgent).order_by("due_at")[:1])
    assignments = assignments or list(free.order_by("-value", "pk")[:1])
    # The last look finds what the same person has taken in another tab meanwhile.
    assignments = assignments or list(Assignment.objects.held_by(reviewer).select_for_update()[:1])
    return _lease(assignments[0], reviewer, now, review_settings) if assignments else None


def _free_for(reviewer: User, lane: str, now: datetime) -> AssignmentQuerySet:
    free = Assignment.objects.in_lane(lane).free(now).answerable_by(reviewer)
    return free.select_for_update(of=("self",))


@retry_on_conflict
@transaction.atomic(durable=True)
def lease_ticket(reviewer: User, ticket: Ticket, lane: str = Assignment.Lane.AGENTS) -> Assignment:
    """This very ticket for this person, who lets go of what was in hand. Raises Taken."""
    assignments = (
        Assignment.objects.in_lane(lane).open().filter(ticket=ticket).select_for_update(of=("self",)).order_by("number")
    )
    mine = assignments.filter(reviewer=reviewer)
    # Of a double click the second waits for the first, and then has the assignment.
    assignment = mine.first() or assignments.free(timezone.now()).answerable_by(reviewer).first() or mine.first()
    if assignment is None:
        raise NotAvailable
    return hand_over(reviewer, assignment)


def hand_over(reviewer: User, assignment: Assignment) -> Assignment:
    """Put an assignment into this person's hands in place of what was there; part of a transaction that has locked
    it.
    """
    _free(Assignment.objects.held_by(reviewer).exclude(pk=assignment.pk))
    return _lease(assignment, reviewer, timezone.now(), ReviewSettings.current())


def renew(reviewer: User, assignment_pk: int) -> bool:
    """Begin the lease anew while its person still works on it; whether the assignment was in hand."""
    until = timezone.now() + ReviewSettings.current().lease
    return bool(Assignment.objects.held_by(reviewer).filter(pk=assignment_pk).update(leased_until=until))


def release(reviewer: User) -> None:
    """Give back what this person has in hand."""
    _free(Assignment.objects.held_by(reviewer))


def unavailable_work(reviewer: User, lane: str = Assignment.Lane.AGENTS) -> UnavailableWork:
    """What waits although this person gets nothing (two counts)."""
    waiting = Assignment.objects.in_lane(lane).open()
    in_hands = waiting.filter(reviewer__isnull=False, leased_until__gt=timezone.now()).count_to()
    return UnavailableWork(in_hands, max(waiting.count_to() - in_hands, 0))


@transaction.atomic(durable=True)
def reoffer_skipped(reviewer: User) -> int:
    """Offer this person again what they skipped and nobody else has answered. Returns how many assignments."""
    skipped = Assignment.objects.open().filter(skipped_by=reviewer).select_for_update(skip_locked=True)
    return Assignment.objects.filter(pk__in=list(skipped.values_list("pk", flat=True))).update(skipped_by=None)


def _lease(assignment: Assignment, reviewer: User, now: datetime, review_settings: ReviewSettings) -> Assignment:
    if assignment.state != Assignment.State.OPEN or assignment.reviewer_id != reviewer.pk:
        assignment.taken_at = now
    assignment.reviewer, assignment.leased_until = reviewer, now + review_settings.lease
    held = {"reviewer": reviewer, "leased_until": assignment.leased_until, "taken_at": assignment.taken_at}
    Assignment.objects.filter(pk=assignment.pk).update(**held)
    return assignment


def _free(assignments: AssignmentQuerySet) -> None:
    assignments.update(reviewer=None, leased_until=None)
