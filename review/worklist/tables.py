"""The queue's table: its columns, and the listing as the table's data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import django_tables2
from django.core.paginator import Paginator
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tables2.data import TableData

from classifier.database import search
from classifier.web.pagination import BoundedPaginator
from review.models import Assignment
from review.screen import bulk
from review.worklist.filter_options import Choices
from review.worklist.filters import AssignmentFilter
from review.worklist.listing import Listing, excerpt_of

PAGE = 25


class AssignmentData(TableData):
    """The listing of what the filters leave, in the order that the table is told to have."""

    def __init__(self, filters: AssignmentFilter) -> None:
        super().__init__(None)
        self._filters = filters

    def __len__(self) -> int:
        return len(self.data)

    def order_by(self, aliases: Sequence[Any]) -> None:
        """The table asks for an order as soon as it is made, for none with no alias."""
        column, descending = (aliases[0].bare, aliases[0].is_descending) if aliases else ("", False)
        self.data = Listing(self._filters, column, descending=descending)


class Cell(django_tables2.Column):
    """Made of the whole assignment by the table's method of the column's name."""

    def __init__(self, name: Any, **values: Any) -> None:
        super().__init__(verbose_name=name, accessor="pk", empty_values=(), **values)


class AssignmentTable(django_tables2.Table):
    """Open assignments as one person may take or accept them."""

    select = Cell(gettext_lazy("Select"), orderable=False)
    ticket = Cell(gettext_lazy("Ticket"), orderable=False)
    reason = Cell(gettext_lazy("Reason"))
    category = Cell(gettext_lazy("Category"))
    sentiment = Cell(gettext_lazy("Sentiment"))
    confidence = Cell(gettext_lazy("Confidence"))
    model = Cell(gettext_lazy("Model"))
    language = Cell(gettext_lazy("Language"))
    age = Cell(gettext_lazy("Age"))
    due = Cell(gettext_lazy("Due"))
    assignee = Cell(gettext_lazy("Assignee"))
    take = Cell(gettext_lazy("Review"), orderable=False)

    swaps = "queue-table"
    label = gettext_lazy("Tickets in review")
    unseen_headers = ("select", "take")

    class Meta:
        attrs = {"class": "queue", "role": "table"}

    def __init__(self, query: QueryDict, filters: AssignmentFilter, choices: Choices) -> None:
        self.query, self.reviewer, self.choices, self.now = query, filters.reviewer, choices, filters.now
        super().__init__(AssignmentData(filters), order_by=query.get("sort", "").split(",")[0])
        self.paginator = Paginator(self.rows, PAGE)
        self.page = self.paginator.get_page(query.get("page"))
        self.most, self.most_matches = BoundedPaginator.MOST, search.MOST_MATCHES

    def lines(self) -> Iterator[SafeString]:
        """The rows' cells, put together here: the package finds out anew for each cell how it is made, which took most
        of the page's time.
        """
        start = '<td role="cell" class="of-{}" data-label="{}">'
        cells = [
            (format_html(start, column.name, column.header), getattr(self, f"render_{column.name}"))
            for column in self.columns
        ]
        assignments: Any = self.page.object_list
        for assignment in assignments.data:
            # Closing a cell is no text of anybody's.
            made = (opening + conditional_escape(render(assignment)) + mark_safe("</td>") for opening, render in cells)  # noqa: S308
            yield mark_safe("".join(made))  # noqa: S308 - escaped above

    def render_select(self, record: Assignment) -> SafeString | str:
        if bulk.hindrance(record, self.reviewer, self.now):
            return ""
        return format_html(
            '<input type="hidden" name="shown" value="{0}"><input type="checkbox" name="assignment" value="{0}" '
            'aria-label="{1}">',
            record.pk,
            _("Select ticket %d") % record.ticket_id,
        )

    def render_ticket(self, record: Assignment) -> SafeString:
        url = reverse("classifier:ticket", args=[record.ticket_id])
        return format_html('<a href="{}" dir="auto">{}</a>', url, excerpt_of(record))

    def render_reason(self, record: Assignment) -> str:
        return _("blind review") if record.blind else record.get_reason_display()

    def render_category(self, record: Assignment) -> str:
        return self.choices.categories.every.get(record.category_id or 0, "")

    def render_sentiment(self, record: Assignment) -> str:
        return self.choices.sentiments.every.get(record.sentiment_id or 0, "")

    def render_confidence(self, record: Assignment) -> str:
        """Rounded down, as on the ticket's page."""
        return "" if record.confidence is None else f"{math.floor(record.confidence * 100 + 1e-9) / 100:.2f}"

    def render_model(self, record: Assignment) -> str:
        return self.choices.models.get(record.language_model_id or 0, "")

    def render_language(self, record: Assignment) -> str:
        return record.language

    def render_age(self, record: Assignment) -> SafeString:
        return _time(record.received_at, timesince(record.received_at, self.now, depth=1))

    def render_due(self, record: Assignment) -> SafeString | str:
        due = record.due_at
        if due is None:
            return ""
        if due <= self.now:
            return _time(due, _("%s late") % timesince(due, self.now, depth=1), urgent=True)
        return _time(due, _("in %s") % timeuntil(due, self.now, depth=1), urgent=due <= self.data.data.urgent)

    def render_assignee(self, record: Assignment) -> str:
        return self.choices.in_hand[record.pk][1] if record.pk in self.choices.in_hand else ""

    def render_take(self, record: Assignment) -> SafeString:
        return format_html(
            '<button class="plain" formaction="{}">{} <span class="unseen">{}</span></button>',
            reverse("review:take", args=[record.ticket_id]),
            _("Review"),
            _("ticket %d") % record.ticket_id,
        )


def _time(moment: datetime, text: str, *, urgent: bool = False) -> SafeString:
    exact = timezone.localtime(moment)
    kind = "urgent" if urgent else "moment"
    return format_html(
        '<time class="{}" datetime="{}" title="{}">{}</time>', kind, exact.isoformat(), f"{exact:%Y-%m-%d %H:%M}", text
    )
