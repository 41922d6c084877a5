"""The queue as a list: any order, any page, at the cost of that page.

Where filters leave few assignments, these are put in order here. Else an index that has the order is walked, and what
the filters do not want is passed over. Neither sorts the table, nor counts it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models.functions import Substr

from classifier.text import excerpt
from classifier.web.pagination import BoundedPaginator
from review.models import Assignment, ReviewSettings
from review.models.assignment import AssignmentQuerySet
from review.worklist.filters import AssignmentFilter

EXCERPT, READ_CHARACTERS = 90, 600
LABEL_COLUMNS = {"reason", "category", "sentiment", "confidence", "model"}
BY_VALUE = ("-value", "id")


class Stretch(NamedTuple):
    """Part of an order: which assignments stand there, and by which fields, as `order_by` takes them.

    None of these assignments has nothing in one of the fields.
    """

    among: Q
    by: tuple[str, ...]

    @property
    def fields(self) -> list[str]:
        return [field.removeprefix("-") for field in self.by]


def stretches(column: str, descending: bool, urgent: datetime, in_hand: Collection[int]) -> list[Stretch]:
    """An order as one part after the other: assignments that have something in the column, by it; then the rest.

    Without a column it is the order of work: what is due soon, then what is worth most. `in_hand` are the keys of
    assignments that somebody has. Comparisons stand for "is not empty", because they are what an index finds.
    Assignments that share a label or a language come by value; the other way round is all of the index read backwards.
    """
    columns = {
        "": (Q(due_at__lte=urgent), ("due_at", "id")),
        "reason": (Q(reason__gt=""), ("reason", *BY_VALUE)),
        "category": (Q(category__gt=0), ("category_id", *BY_VALUE)),
        "sentiment": (Q(sentiment__gt=0), ("sentiment_id", *BY_VALUE)),
        "confidence": (Q(confidence__gte=0), ("confidence", "id")),
        "model": (Q(language_model__gt=0), ("language_model_id", *BY_VALUE)),
        "language": (Q(language__gt=""), ("language", *BY_VALUE)),
        "age": (Q(received_at__isnull=False), ("received_at", "id")),
        "due": (Q(due_at__isnull=False), ("due_at", "id")),
        "assignee": (Q(pk__in=in_hand), ("reviewer__username", "id")),
    }
    among, by = columns[column]
    latest_first = descending != (column == "age")
    return [Stretch(among, _backwards(by) if latest_first else by), Stretch(~among, BY_VALUE)]


def _backwards(by: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field.removeprefix("-") if field.startswith("-") else f"-{field}" for field in by)


class Listing:
    """The open assignments that the filters leave, in order; a sequence as long as anybody pages."""

    def __init__(self, filters: AssignmentFilter, column: str = "", *, descending: bool = False) -> None:
        if filters.unlabelled and column in LABEL_COLUMNS:
            column = ""  # nothing stands in the column
        self.urgent = filters.now + ReviewSettings.current().urgent
        self._filters = filters
        self._stretches = stretches(column, descending, self.urgent, filters.choices.in_hand)
        self._few = self._all_of_few()

    def __len__(self) -> int:
        if self._few is not None:
            return len(self._few)
        most = BoundedPaginator.MOST
        return most if self._filters.active else self._filters.queryset.count_to(most)

    def __getitem__(self, rows: slice) -> list[Assignment]:
        pks = self._walk(rows.start, rows.stop) if self._few is None else self._few[rows]
        assignments = with_excerpts(Assignment.objects.filter(pk__in=pks)).in_bulk()
        return [assignments[pk] for pk in pks if pk in assignments]

    def _all_of_few(self) -> list[int] | None:
        """The keys of all assignments in order; None where they are many."""
        filters, most = self._filters, BoundedPaginator.MOST
        if not filters.active or not (filters.searched or filters.looked_up().count_to(most) < most):
            return None
        names = list(dict.fromkeys(field for stretch in self._stretches for field in stretch.fields))
        rows = filters.looked_up().annotate(stretch=self._stretch()).order_by().values_list("stretch", *names)
        parts: list[list[Any]] = [[] for _stretch in self._stretches]
        for place, *row in rows[:most]:
            parts[place].append(row)
        for part, stretch in zip(parts, self._stretches, strict=True):
            for field, by in reversed(list(zip(stretch.fields, stretch.by, strict=True))):
                part.sort(key=itemgetter(names.index(field)), reverse=by.startswith("-"))
        return [row[names.index("id")] for part in parts for row in part]

    def _stretch(self) -> Case:
        whens = [When(stretch.among, then=Value(place)) for place, stretch in enumerate(self._stretches[:-1])]
        return Case(*whens, default=Value(len(whens)), output_field=IntegerField())

    def _walk(self, start: int, stop: int) -> list[int]:
        """The keys of one page's assignments; what comes before it is passed over in the index."""
        pks: list[int] = []
        for stretch in self._stretches:
            part = self._filters.passed_over().filter(stretch.among)
            found = list(part.order_by(*stretch.by).values_list("pk", flat=True)[start:stop])
            pks += found
            if len(found) == stop - start:
                break
            before = start + len(found) if found or not start else part.count_to(start)
            start, stop = max(start - before, 0), stop - before
        return pks


def with_excerpts(assignments: AssignmentQuerySet) -> AssignmentQuerySet:
    """With the first words of their tickets; the whole text may be long."""
    return assignments.annotate(beginning=Substr("ticket__text", 1, READ_CHARACTERS))


def excerpt_of(assignment: Assignment) -> str:
    """The first words of the ticket of an assignment that came `with_excerpts`."""
    return excerpt(vars(assignment)["beginning"], EXCERPT)
