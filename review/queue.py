"""Who has which ticket in hand. A lease is a time: a seat that its person leaves comes back by itself.

A person has at most one seat in hand, and a seat is in one person's hands; the database sees to both.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.models import Ticket

from .models import Desk, Seat
from .models.seat import SeatQuerySet

CANDIDATES = 4
"""Rows looked at in one go; more than one, for whoever is faster may take the first between look and claim."""


class Taken(Exception):
    """The ticket cannot be had: another person has it in hand, or nobody is asked any more."""


class Left(NamedTuple):
    """Why somebody gets nothing while tickets wait: how many are in others' hands, and how many this person skipped
    or has answered for already, both counted up to a limit.
    """

    in_other_hands: int
    not_for_me: int


def next_for(reviewer: User, lane: str = Seat.Lane.AGENTS) -> Seat | None:
    """The seat that this person has in hand, else the next of the lane, taken for the time of a lease."""
    try:
        return _next_for(reviewer, lane)
    except IntegrityError:
        # The same person in another tab was faster: what that took is in hand now.
        return _next_for(reviewer, lane)


@transaction.atomic(durable=True)
def _next_for(reviewer: User, lane: str) -> Seat | None:
    now, desk = timezone.now(), Desk.current()
    in_hand = Seat.objects.held_by(reviewer).select_for_update().first()
    if in_hand and in_hand.lane == lane:
        return _lease(in_hand, reviewer, now, desk)
    if in_hand:
        _free(Seat.objects.filter(pk=in_hand.pk))
    for seat in _candidates(reviewer, lane, now, desk):
        if _take(seat, reviewer, now, desk):
            return seat
    return None


def _candidates(reviewer: User, lane: str, now: datetime, desk: Desk) -> Iterator[Seat]:
    """Free seats in the order of work: what is due soon, then what is worth most."""
    free = Seat.objects.in_lane(lane).free(now).answerable_by(reviewer)
    free = free.select_for_update(skip_locked=True, of=("self",))
    yield from free.filter(due_at__lte=now + desk.urgent).order_by("due_at")[:CANDIDATES]
    yield from free.order_by("-value", "pk")[:CANDIDATES]


@transaction.atomic(durable=True)
def take(reviewer: User, ticket: Ticket, lane: str = Seat.Lane.AGENTS) -> Seat:
    """This very ticket for this person, who lets go of what was in hand. Raises Taken."""
    now, desk = timezone.now(), Desk.current()
    _free(Seat.objects.held_by(reviewer).exclude(ticket=ticket))
    seats = Seat.objects.in_lane(lane).open().filter(ticket=ticket).select_for_update(of=("self",)).order_by("number")
    mine = seats.filter(reviewer=reviewer).first()
    if mine:
        return _lease(mine, reviewer, now, desk)
    for seat in seats.free(now).answerable_by(reviewer):
        if _take(seat, reviewer, now, desk):
            return seat
    raise Taken


def keep(reviewer: User, seat_pk: int) -> bool:
    """Begin the lease anew while its person still works on it; whether the seat was in hand."""
    until = timezone.now() + Desk.current().lease
    return bool(Seat.objects.held_by(reviewer).filter(pk=seat_pk).update(leased_until=until))


def let_go(reviewer: User) -> None:
    """Give back what this person has in hand."""
    _free(Seat.objects.held_by(reviewer))


def left_for(reviewer: User, lane: str = Seat.Lane.AGENTS) -> Left:
    """What waits although this person gets nothing (two counts)."""
    waiting = Seat.objects.in_lane(lane).open()
    in_hands = waiting.filter(reviewer__isnull=False).exclude(reviewer=reviewer)
    return Left(in_hands.count_to(), waiting.filter(not_for=reviewer).count_to())


def look_again(reviewer: User) -> int:
    """Offer this person again what they skipped and nobody else has answered. Returns how many seats."""
    skipped = Seat.objects.in_lane(Seat.Lane.AGENTS).open().filter(not_for=reviewer)
    answered = Seat.objects.filter(ticket__in=skipped.values("ticket"), state=Seat.State.ANSWERED, reviewer=reviewer)
    return skipped.exclude(ticket__in=list(answered.values_list("ticket", flat=True))).update(not_for=None)


def _take(seat: Seat, reviewer: User, now: datetime, desk: Desk) -> bool:
    """Whether this person was the fastest."""
    until = now + desk.lease
    taken = Seat.objects.free(now).filter(pk=seat.pk).update(reviewer=reviewer, leased_until=until)
    seat.reviewer, seat.leased_until = reviewer, until
    return bool(taken)


def _lease(seat: Seat, reviewer: User, now: datetime, desk: Desk) -> Seat:
    seat.leased_until = now + desk.lease
    Seat.objects.filter(pk=seat.pk).update(leased_until=seat.leased_until)
    return seat


def _free(seats: SeatQuerySet) -> None:
    seats.update(reviewer=None, leased_until=None)
