"""The order of the queue, page by page along the indexes, and the first words of each ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator

from review.models import Assignment
from review.models.assignment import AssignmentQuerySet

PAGE = 25
MOST = 1_000
"""Counting stops here, and paging with it: the cost is the same however many wait."""


class ChainedQuerysets:
    """Querysets one after the other, sliced as one: each walks along its own index, so that no page sorts the queue."""

    def __init__(self, *parts: AssignmentQuerySet) -> None:
        self._parts = parts

    def count(self) -> int:
        """Up to MOST."""
        return min(sum(part.count_to(MOST) for part in self._parts), MOST)

    def __getitem__(self, rows: slice) -> list[Assignment]:
        start, stop = rows.start, rows.stop
        page: list[Assignment] = []
        for part in self._parts:
            here = list(part[start:stop])
            page += here
            if len(here) == stop - start:
                break
            before = start + len(here) if here or not start else part.count_to(start)
            start, stop = max(start - before, 0), stop - before
        return page


class QueuePaginator(Paginator):
    """Pages of one length, whatever an address asks for."""

    def __init__(self, rows: Any, per_page: int) -> None:
        super().__init__(rows, PAGE)


def by_arrival(assignments: AssignmentQuerySet, *, descending: bool) -> ChainedQuerysets:
    """By when they came in."""
    return ChainedQuerysets(assignments.order_by(*(("-received_at", "-id") if descending else ("received_at", "id"))))


def by_priority(assignments: AssignmentQuerySet, soon: datetime) -> ChainedQuerysets:
    """The order of work: what is due by `soon`, the most urgent first, then what is worth most."""
    urgent, others = assignments.filter(due_at__lte=soon), assignments.exclude(due_at__lte=soon)
    return ChainedQuerysets(urgent.order_by("due_at", "id"), others.order_by("-value", "id"))


def by_confidence(assignments: AssignmentQuerySet, *, descending: bool) -> ChainedQuerysets:
    """By the model's confidence; assignments without one come last, those worth most first."""
    known = assignments.filter(confidence__gte=0)
    order = ("-confidence", "-id") if descending else ("confidence", "id")
    return ChainedQuerysets(known.order_by(*order), assignments.filter(confidence=None).order_by("-value", "id"))
