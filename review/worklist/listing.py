"""Orders and pages the queue along its indexes, without sorting it."""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F

from review.models import Assignment
from review.models.assignment import AssignmentQuerySet

PAGE = 25
MOST = 1_000
"""Counting and paging stop here, so that the cost does not grow with the queue."""


class ChainedQuerysets:
    """Querysets sliced as one sequence; each uses its own index, so that no page sorts the queue."""

    def __init__(self, *parts: AssignmentQuerySet) -> None:
        self._parts = parts

    def count(self) -> int:
        return min(sum(part.count_to(MOST) for part in self._parts), MOST)

    def __getitem__(self, rows: slice) -> list[Assignment]:
        start, stop = rows.start, rows.stop
        page: list[Assignment] = []
        for part in self._parts:
            here = list(_with_names(part)[start:stop])
            page += here
            if len(here) == stop - start:
                break
            before = start + len(here) if here or not start else part.count_to(start)
            start, stop = max(start - before, 0), stop - before
        return page


def _with_names(assignments: AssignmentQuerySet) -> AssignmentQuerySet:
    """With what the table shows of other tables, which is not joined to count."""
    return assignments.with_excerpts().annotate(
        category_name=F("category__full_name"),
        sentiment_name=F("sentiment__name"),
        model_name=F("language_model__name"),
        assignee=F("reviewer__username"),
    )


class QueuePaginator(Paginator):
    """Pages of fixed length, whatever the query string asks for."""

    def __init__(self, rows: Any, per_page: int) -> None:
        super().__init__(rows, PAGE)


def by_arrival(assignments: AssignmentQuerySet, *, descending: bool) -> ChainedQuerysets:
    return ChainedQuerysets(assignments.order_by(*(("-received_at", "-id") if descending else ("received_at", "id"))))


def by_priority(assignments: AssignmentQuerySet, soon: datetime) -> ChainedQuerysets:
    """Due by `soon` first, most urgent on top; then by value."""
    urgent, others = assignments.filter(due_at__lte=soon), assignments.exclude(due_at__lte=soon)
    return ChainedQuerysets(urgent.order_by("due_at", "id"), others.order_by("-value", "id"))


def by_confidence(assignments: AssignmentQuerySet, *, descending: bool) -> ChainedQuerysets:
    """By the model's confidence; assignments without one come last, by value."""
    known = assignments.filter(confidence__gte=0)
    order = ("-confidence", "-id") if descending else ("confidence", "id")
    return ChainedQuerysets(known.order_by(*order), assignments.filter(confidence=None).order_by("-value", "id"))
