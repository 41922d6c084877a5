"""The queue as a list: any order, any page, at the cost of that page.

Where filters leave few seats, these are put in order here. Else an index that has the order is walked, and what the
filters do not want is passed over. Neither sorts the table, nor counts it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models.functions import Substr

from classifier.paging import BoundedPaginator
from classifier.text import excerpt

from .filters import SeatFilter
from .models import Desk, Seat
from .models.seat import SeatQuerySet

EXCERPT, READ_CHARACTERS = 90, 600
LABEL_COLUMNS = {"reason", "category", "sentiment", "confidence", "model"}


class Stretch(NamedTuple):
    """Part of an order: which seats stand there, and by which field, in which none of them has nothing."""

    among: Q
    field: str
    descending: bool = False
    ties_descending: bool = False

    @property
    def by(self) -> tuple[str, str]:
        """As `order_by` takes it."""
        return "-" * self.descending + self.field, "-" * self.ties_descending + "id"


def stretches(column: str, descending: bool, urgent: datetime, in_hand: Collection[int]) -> list[Stretch]:
    """An order as one part after the other: seats that have something in the column, by it; then the rest.

    Without a column it is the order of work: what is due soon, then what is worth most. `in_hand` are the keys of seats
    that somebody has. Comparisons stand for "is not empty", because they are what an index finds; ties go the same way
    as the field does, as they stand in the index.
    """
    columns = {
        "": ("due_at", Q(due_at__lte=urgent)),
        "reason": ("reason", Q(reason__gt="")),
        "category": ("category_id", Q(category__gt=0)),
        "sentiment": ("sentiment_id", Q(sentiment__gt=0)),
        "confidence": ("confidence", Q(confidence__gte=0)),
        "model": ("spec_id", Q(spec__gt=0)),
        "language": ("language", Q(language__gt="")),
        "age": ("received_at", Q(received_at__isnull=False)),
        "due": ("due_at", Q(due_at__isnull=False)),
        "assignee": ("reviewer__username", Q(pk__in=in_hand)),
    }
    field, among = columns[column]
    latest_first = descending != (column == "age")
    return [Stretch(among, field, latest_first, latest_first), Stretch(~among, "value", descending=True)]


class Listing:
    """The open seats that the filters leave, in order; a sequence as long as anybody pages."""

    def __init__(self, filters: SeatFilter, column: str = "", *, descending: bool = False) -> None:
        if filters.unlabelled and column in LABEL_COLUMNS:
            column = ""  # nothing stands in the column
        self.urgent = filters.now + Desk.current().urgent
        self._filters = filters
        self._stretches = stretches(column, descending, self.urgent, filters.choices.in_hand)
        self._few = self._all_of_few()

    def __len__(self) -> int:
        if self._few is not None:
            return len(self._few)
        most = BoundedPaginator.MOST
        return most if self._filters.active else self._filters.queryset.count_to(most)

    def __getitem__(self, rows: slice) -> list[Seat]:
        pks = self._walk(rows.start, rows.stop) if self._few is None else self._few[rows]
        seats = with_excerpts(Seat.objects.filter(pk__in=pks)).in_bulk()
        return [seats[pk] for pk in pks if pk in seats]

    def _all_of_few(self) -> list[int] | None:
        """The keys of all seats in order; None where they are many."""
        filters, most = self._filters, BoundedPaginator.MOST
        if not filters.active or not (filters.searched or filters.looked_up().count_to(most) < most):
            return None
        fields = [stretch.field for stretch in self._stretches]
        rows = filters.looked_up().annotate(stretch=self._stretch()).order_by().values_list("stretch", "pk", *fields)
        parts: list[list[Any]] = [[] for _stretch in self._stretches]
        for row in rows[:most]:
            parts[row[0]].append(row)
        for place, (part, stretch) in enumerate(zip(parts, self._stretches, strict=True)):
            part.sort(key=itemgetter(1), reverse=stretch.ties_descending)
            part.sort(key=itemgetter(2 + place), reverse=stretch.descending)
        return [row[1] for part in parts for row in part]

    def _stretch(self) -> Case:
        whens = [When(stretch.among, then=Value(place)) for place, stretch in enumerate(self._stretches[:-1])]
        return Case(*whens, default=Value(len(whens)), output_field=IntegerField())

    def _walk(self, start: int, stop: int) -> list[int]:
        """The keys of one page's seats; what comes before it is passed over in the index."""
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


def with_excerpts(seats: SeatQuerySet) -> SeatQuerySet:
    """With the first words of their tickets; the whole text may be long."""
    return seats.annotate(beginning=Substr("ticket__text", 1, READ_CHARACTERS))


def excerpt_of(seat: Seat) -> str:
    """The first words of the ticket of a seat that came `with_excerpts`."""
    return excerpt(vars(seat)["beginning"], EXCERPT)
