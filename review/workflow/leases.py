"""Who has which ticket in hand. A lease is a time: an assignment that its person leaves comes back by itself.

A person has at most one assignment in hand, and an assignment is in one person's hands; the database sees to both.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.models import Ticket
from review.models import Assignment, ReviewSettings
from review.models.assignment import AssignmentQuerySet
from review.workflow.prepared import Columns, Prepared

P = ParamSpec("P")
T = TypeVar("T")


class Taken(Exception):
    """The ticket cannot be had: another person has it in hand, or nobody is asked any more."""


class Left(NamedTuple):
    """Why somebody gets nothing while tickets wait: how many are in others' hands, and how many this person skipped
    or has answered for already, both counted up to a limit.
    """

    in_other_hands: int
    not_for_me: int


def once_more(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb that begins anew where the same person was faster in another tab, which a constraint tells."""

    @wraps(verb)
    def begun_anew(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except IntegrityError:
            return verb(*args, **kwargs)

    return begun_anew


@once_more
def next_for(
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


_SEATS = Columns(Assignment)
# Where a lease has run out, somebody else may take the assignment at this very moment: the last condition is looked at
# again once they have.
_LEASED = """
UPDATE review_assignment SET reviewer_id = CASE WHEN lane = %s THEN %s END, leased_until = CASE WHEN lane = %s THEN %s
END,
    taken_at = CASE WHEN reviewer_id = %s THEN taken_at ELSE %s END
WHERE id = COALESCE((SELECT id FROM review_assignment WHERE reviewer_id = %s AND state = 'open'), ({urgent}),
({worthiest}))
    AND state = 'open' AND (reviewer_id IS NULL OR reviewer_id = %s OR leased_until <= %s){unflushed}
RETURNING {columns}"""
# A server that breaks down may forget the latest leases, whose assignments are free again then; nobody waits for its
# disk.
_UNFLUSHED = " AND set_config('synchronous_commit', 'off', true) = 'off'"


def _leased(reviewer: User, lane: str, review_settings: ReviewSettings) -> Assignment | None:
    """What is in hand, else in the order of work: what is due soon, then what is worth most; what others are at is
    passed over.
    """
    now, who = timezone.now(), reviewer.pk
    wanted: dict[str, Any] = {"reviewer": who, "lane": lane, "now": now}
    urgent, of_urgent = _URGENT.statement(**wanted, soon=now + review_settings.urgent)
    worthiest, of_worthiest = _WORTHIEST.statement(**wanted)
    alone = connection.vendor == "postgresql" and not connection.in_atomic_block
    parts = {"columns": _SEATS.of("review_assignment"), "unflushed": _UNFLUSHED if alone else ""}
    sql = _LEASED.format(urgent=urgent, worthiest=worthiest, **parts)
    values = [lane, who, lane, now + review_settings.lease, who, now, who, *of_urgent, *of_worthiest, who, now]
    return next(iter(_SEATS.objects(sql, values)), None)


@transaction.atomic(durable=True)
def _wait(reviewer: User, lane: str, review_settings: ReviewSettings) -> Assignment | None:
    """Where nothing is free at once, wait whether others leave what they are at."""
    now = timezone.now()
    assignments = list(_urgent(reviewer.pk, lane, now, now + review_settings.urgent, passing=False))
    assignments = assignments or list(_worthiest(reviewer.pk, lane, now, passing=False))
    # The last look finds what the same person has taken in another tab meanwhile.
    assignments = assignments or list(Assignment.objects.held_by(reviewer).select_for_update()[:1])
    return _lease(assignments[0], reviewer, now, review_settings) if assignments else None


def _urgent(reviewer: int, lane: str, now: datetime, soon: datetime, passing: bool = True) -> AssignmentQuerySet:
    return _free_for(reviewer, lane, now, passing).filter(due_at__lte=soon).order_by("due_at")[:1]


def _worthiest(reviewer: int, lane: str, now: datetime, passing: bool = True) -> AssignmentQuerySet:
    return _free_for(reviewer, lane, now, passing).order_by("-value", "pk")[:1]


def _free_for(reviewer: int, lane: str, now: datetime, passing: bool) -> AssignmentQuerySet:
    free = Assignment.objects.in_lane(lane).free(now).answerable_by(reviewer)
    return free.select_for_update(skip_locked=passing, of=("self",))


_URGENT = Prepared(lambda **given: _urgent(**given).values("pk"), reviewer=int, lane=str, now=datetime, soon=datetime)
_WORTHIEST = Prepared(lambda **given: _worthiest(**given).values("pk"), reviewer=int, lane=str, now=datetime)


@once_more
@transaction.atomic(durable=True)
def take(reviewer: User, ticket: Ticket, lane: str = Assignment.Lane.AGENTS) -> Assignment:
    """This very ticket for this person, who lets go of what was in hand. Raises Taken."""
    assignments = (
        Assignment.objects.in_lane(lane).open().filter(ticket=ticket).select_for_update(of=("self",)).order_by("number")
    )
    mine = assignments.filter(reviewer=reviewer)
    # Of a double click the second waits for the first, and then has the assignment.
    assignment = mine.first() or assignments.free(timezone.now()).answerable_by(reviewer).first() or mine.first()
    if assignment is None:
        raise Taken
    return give(reviewer, assignment)


def give(reviewer: User, assignment: Assignment) -> Assignment:
    """Put an assignment into this person's hands in place of what was there; part of a transaction that has locked
    it.
    """
    _free(Assignment.objects.held_by(reviewer).exclude(pk=assignment.pk))
    return _lease(assignment, reviewer, timezone.now(), ReviewSettings.current())


def keep(reviewer: User, assignment_pk: int) -> bool:
    """Begin the lease anew while its person still works on it; whether the assignment was in hand."""
    until = timezone.now() + ReviewSettings.current().lease
    return bool(Assignment.objects.held_by(reviewer).filter(pk=assignment_pk).update(leased_until=until))


def assignment(pk: int) -> Assignment:
    """As it stands. Raises Assignment.DoesNotExist."""
    for found in _SEAT(pk=pk):
        return found
    raise Assignment.DoesNotExist


_SEAT = Prepared(lambda pk: Assignment.objects.filter(pk=pk), pk=int)


def let_go(reviewer: User) -> None:
    """Give back what this person has in hand."""
    _free(Assignment.objects.held_by(reviewer))


def left_for(reviewer: User, lane: str = Assignment.Lane.AGENTS) -> Left:
    """What waits although this person gets nothing (two counts)."""
    waiting = Assignment.objects.in_lane(lane).open()
    in_hands = waiting.filter(reviewer__isnull=False, leased_until__gt=timezone.now()).count_to()
    return Left(in_hands, max(waiting.count_to() - in_hands, 0))


@transaction.atomic(durable=True)
def look_again(reviewer: User) -> int:
    """Offer this person again what they skipped and nobody else has answered. Returns how many assignments."""
    skipped = Assignment.objects.open().filter(not_for=reviewer).select_for_update(skip_locked=True)
    return Assignment.objects.filter(pk__in=list(skipped.values_list("pk", flat=True))).update(not_for=None)


def _lease(assignment: Assignment, reviewer: User, now: datetime, review_settings: ReviewSettings) -> Assignment:
    if assignment.state != Assignment.State.OPEN or assignment.reviewer_id != reviewer.pk:
        assignment.taken_at = now
    assignment.reviewer, assignment.leased_until = reviewer, now + review_settings.lease
    held = {"reviewer": reviewer, "leased_until": assignment.leased_until, "taken_at": assignment.taken_at}
    Assignment.objects.filter(pk=assignment.pk).update(**held)
    return assignment


def _free(assignments: AssignmentQuerySet) -> None:
    assignments.update(reviewer=None, leased_until=None)
