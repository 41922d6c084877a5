"""Bursts of tickets that say nearly the same and arrived together: for the queue, one incident each.

Groups are made of texts alone, so they tell nothing of what a model said.
"""

from __future__ import annotations

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
"""Tickets from which on a burst is an incident, and incidents that are shown."""
TOGETHER = timedelta(hours=24)
LOOKED_THROUGH = 2_000
"""The latest open assignments among which bursts are looked for: the cost is the same however many wait."""
EXCERPT = 120

_MADE_OF_LATEST = ["group", "tickets", "since", "first", "free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Tickets alike that wait. `free` is one of them that this person may take, None where others have them all."""

    tickets: int
    since: datetime
    excerpt: str
    free: int | None


def waiting_incidents(reviewer: User) -> list[Incident]:
    """The largest ones first, as this person sees them (two queries, or one where there is none)."""
    rows: list[Any] = list(_bursts(reviewer, timezone.now()).values_list(*_MADE_OF_LATEST, named=True))
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
    """What bursts are looked for among: the latest that wait, in the order of an index."""
    waiting = Assignment.objects.in_lane(Assignment.Lane.AGENTS).open().filter(received_at__gt=now - TOGETHER)
    return waiting.order_by("-received_at", "-pk")[:LOOKED_THROUGH]


def _bursts(reviewer: User, now: datetime) -> Any:
    """Groups of the latest open assignments; to be taken is rather one that is not blind, for it can be decided for
    all.
    """
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
