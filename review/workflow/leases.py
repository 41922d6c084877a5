"""Who has which ticket in hand. A lease is a time: a seat that its person leaves comes back by itself.

A person has at most one seat in hand, and a seat is in one person's hands; the database sees to both.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.models import Ticket
from review.models import Desk, Seat
from review.models.assignment import SeatQuerySet
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
def next_for(reviewer: User, lane: str = Seat.Lane.AGENTS, desk: Desk | None = None) -> Seat | None:
    """The seat that this person has in hand, else the next of the lane, taken for the time of a lease.

    Nearly always it is one statement, of which the database makes the transaction. What is in hand in another lane is
    let go by it, and then it takes a second one.
    """
    desk = desk or Desk.current()
    seat = _leased(reviewer, lane, desk)
    if seat and not seat.reviewer_id:
        seat = _leased(reviewer, lane, desk)
    return seat or _wait(reviewer, lane, desk)


_SEATS = Columns(Seat)
# Where a lease has run out, somebody else may take the seat at this very moment: the last condition is looked at again
# once they have.
_LEASED = """
UPDATE review_seat SET reviewer_id = CASE WHEN lane = %s THEN %s END, leased_until = CASE WHEN lane = %s THEN %s END,
    taken_at = CASE WHEN reviewer_id = %s THEN taken_at ELSE %s END
WHERE id = COALESCE((SELECT id FROM review_seat WHERE reviewer_id = %s AND state = 'open'), ({urgent}), ({worthiest}))
    AND state = 'open' AND (reviewer_id IS NULL OR reviewer_id = %s OR leased_until <= %s){unflushed}
RETURNING {columns}"""
# A server that breaks down may forget the latest leases, whose seats are free again then; nobody waits for its disk.
_UNFLUSHED = " AND set_config('synchronous_commit', 'off', true) = 'off'"


def _leased(reviewer: User, lane: str, desk: Desk) -> Seat | None:
    """What is in hand, else in the order of work: what is due soon, then what is worth most; what others are at is
    passed over.
    """
    now, who = timezone.now(), reviewer.pk
    wanted: dict[str, Any] = {"reviewer": who, "lane": lane, "now": now}
    urgent, of_urgent = _URGENT.statement(**wanted, soon=now + desk.urgent)
    worthiest, of_worthiest = _WORTHIEST.statement(**wanted)
    alone = connection.vendor == "postgresql" and not connection.in_atomic_block
    parts = {"columns": _SEATS.of("review_seat"), "unflushed": _UNFLUSHED if alone else ""}
    sql = _LEASED.format(urgent=urgent, worthiest=worthiest, **parts)
    values = [lane, who, lane, now + desk.lease, who, now, who, *of_urgent, *of_worthiest, who, now]
    return next(iter(_SEATS.objects(sql, values)), None)


@transaction.atomic(durable=True)
def _wait(reviewer: User, lane: str, desk: Desk) -> Seat | None:
    """Where nothing is free at once, wait whether others leave what they are at."""
    now = timezone.now()
    seats = list(_urgent(reviewer.pk, lane, now, now + desk.urgent, passing=False))
    seats = seats or list(_worthiest(reviewer.pk, lane, now, passing=False))
    # The last look finds what the same person has taken in another tab meanwhile.
    seats = seats or list(Seat.objects.held_by(reviewer).select_for_update()[:1])
    return _lease(seats[0], reviewer, now, desk) if seats else None


def _urgent(reviewer: int, lane: str, now: datetime, soon: datetime, passing: bool = True) -> SeatQuerySet:
    return _free_for(reviewer, lane, now, passing).filter(due_at__lte=soon).order_by("due_at")[:1]


def _worthiest(reviewer: int, lane: str, now: datetime, passing: bool = True) -> SeatQuerySet:
    return _free_for(reviewer, lane, now, passing).order_by("-value", "pk")[:1]


def _free_for(reviewer: int, lane: str, now: datetime, passing: bool) -> SeatQuerySet:
    free = Seat.objects.in_lane(lane).free(now).answerable_by(reviewer)
    return free.select_for_update(skip_locked=passing, of=("self",))


_URGENT = Prepared(lambda **given: _urgent(**given).values("pk"), reviewer=int, lane=str, now=datetime, soon=datetime)
_WORTHIEST = Prepared(lambda **given: _worthiest(**given).values("pk"), reviewer=int, lane=str, now=datetime)


@once_more
@transaction.atomic(durable=True)
def take(reviewer: User, ticket: Ticket, lane: str = Seat.Lane.AGENTS) -> Seat:
    """This very ticket for this person, who lets go of what was in hand. Raises Taken."""
    seats = Seat.objects.in_lane(lane).open().filter(ticket=ticket).select_for_update(of=("self",)).order_by("number")
    mine = seats.filter(reviewer=reviewer)
    # Of a double click the second waits for the first, and then has the seat.
    seat = mine.first() or seats.free(timezone.now()).answerable_by(reviewer).first() or mine.first()
    if seat is None:
        raise Taken
    return give(reviewer, seat)


def give(reviewer: User, seat: Seat) -> Seat:
    """Put a seat into this person's hands in place of what was there; part of a transaction that has locked it."""
    _free(Seat.objects.held_by(reviewer).exclude(pk=seat.pk))
    return _lease(seat, reviewer, timezone.now(), Desk.current())


def keep(reviewer: User, seat_pk: int) -> bool:
    """Begin the lease anew while its person still works on it; whether the seat was in hand."""
    until = timezone.now() + Desk.current().lease
    return bool(Seat.objects.held_by(reviewer).filter(pk=seat_pk).update(leased_until=until))


def seat(pk: int) -> Seat:
    """As it stands. Raises Seat.DoesNotExist."""
    for found in _SEAT(pk=pk):
        return found
    raise Seat.DoesNotExist


_SEAT = Prepared(lambda pk: Seat.objects.filter(pk=pk), pk=int)


def let_go(reviewer: User) -> None:
    """Give back what this person has in hand."""
    _free(Seat.objects.held_by(reviewer))


def left_for(reviewer: User, lane: str = Seat.Lane.AGENTS) -> Left:
    """What waits although this person gets nothing (two counts)."""
    waiting = Seat.objects.in_lane(lane).open()
    in_hands = waiting.filter(reviewer__isnull=False, leased_until__gt=timezone.now()).count_to()
    return Left(in_hands, max(waiting.count_to() - in_hands, 0))


@transaction.atomic(durable=True)
def look_again(reviewer: User) -> int:
    """Offer this person again what they skipped and nobody else has answered. Returns how many seats."""
    skipped = Seat.objects.open().filter(not_for=reviewer).select_for_update(skip_locked=True)
    return Seat.objects.filter(pk__in=list(skipped.values_list("pk", flat=True))).update(not_for=None)


def _lease(seat: Seat, reviewer: User, now: datetime, desk: Desk) -> Seat:
    if seat.state != Seat.State.OPEN or seat.reviewer_id != reviewer.pk:
        seat.taken_at = now
    seat.reviewer, seat.leased_until = reviewer, now + desk.lease
    held = {"reviewer": reviewer, "leased_until": seat.leased_until, "taken_at": seat.taken_at}
    Seat.objects.filter(pk=seat.pk).update(**held)
    return seat


def _free(seats: SeatQuerySet) -> None:
    seats.update(reviewer=None, leased_until=None)
