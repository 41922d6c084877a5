"""Finds incidents: bursts of near-duplicate tickets that arrived together.

Groups depend on texts alone, so they reveal nothing about a model's answers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce, Left
from django.utils import timezone

from classifier.models import Ticket
from classifier.text import excerpt
from review.models import Assignment
from review.models.assignment import AssignmentQuerySet

FEWEST, MOST = 5, 5
"""Tickets that make an incident, and incidents shown at most."""
TOGETHER = timedelta(hours=24)
LOOKED_THROUGH = 2_000
"""The latest open assignments searched, so that the cost does not grow with the queue."""
EXCERPT = 120

_BURST_FIELDS = ["group", "tickets", "since", "first", "free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Waiting near-duplicates. `free` is a ticket that this person may take, None if others have them all open."""

    tickets: int
    since: datetime
    excerpt: str
    free: int | None


def waiting_incidents(reviewer: User) -> list[Incident]:
    """Incidents for this person, largest first (two queries, or one if there is none)."""
    rows: list[Any] = list(_bursts(reviewer, timezone.now()).values_list(*_BURST_FIELDS, named=True))
    shown = {row.free or row.first for row in rows}
    texts = dict(Ticket.objects.filter(pk__in=shown).values_list("pk", Left("text", 4 * EXCERPT))) if shown else {}
    return [
        Incident(
            tickets=row.tickets,
            since=row.since,
            excerpt=excerpt(texts.get(row.free or row.first, ""), EXCERPT),
            free=row.free,
        )
        for row in rows
    ]


def recent_assignments(now: datetime) -> AssignmentQuerySet:
    """The latest waiting assignments of the last TOGETHER, along an index."""
    waiting = Assignment.objects.in_lane(Assignment.Lane.AGENTS).open().filter(received_at__gt=now - TOGETHER)
    return waiting.order_by("-received_at", "-pk")[:LOOKED_THROUGH]


def _bursts(reviewer: User, now: datetime) -> Any:
    """Group the recent assignments; `free` prefers one that is not blind, because its label can be applied to all."""
    mine = Q(reviewer=None) | Q(reviewer=reviewer) | Q(leased_until__lte=now)
    free = mine & ~Q(skipped_by=reviewer) & ~Q(excluded_reviewer=reviewer)
    bursts = Assignment.objects.filter(pk__in=recent_assignments(now).values("pk")).order_by().values("group")
    return (
        bursts.annotate(
            tickets=Count("ticket", distinct=True),
            since=Min("received_at"),
            first=Min("ticket"),
            free=Coalesce(Min("ticket", filter=free & Q(blind=False)), Min("ticket", filter=free)),
        )
        .filter(tickets__gte=FEWEST)
        .order_by("-tickets", "since")[:MOST]
    )
