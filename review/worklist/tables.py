"""The columns of the queue's table."""

import math
from datetime import datetime
from typing import Any

import django_tables2
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tables2 import A, Column

from review.models import Assignment, ReviewSettings
from review.models.assignment import AssignmentQuerySet
from review.screen import bulk
from review.workflow.excerpts import excerpt_of, with_excerpts
from review.worklist.listing import ChainedQuerysets, by_arrival, by_confidence, by_priority

Ordered = tuple[ChainedQuerysets, bool]


class ActionColumn(Column):
    """A column of controls, whose header only screen readers announce."""

    @property
    def header(self) -> SafeString:
        return format_html('<span class="visually-hidden">{}</span>', self.verbose_name)


class AssignmentTable(django_tables2.Table):
    """Open assignments that one person may take or accept, by priority unless another order is asked for."""

    select = ActionColumn(gettext_lazy("Select"), accessor="pk")
    ticket = Column(
        gettext_lazy("Ticket"),
        accessor="beginning",
        linkify=("classifier:ticket", [A("ticket_id")]),
        attrs={"a": {"dir": "auto"}},
    )
    reason = Column(gettext_lazy("Reason"), empty_values=())
    category = Column(gettext_lazy("Category"), accessor="category_id")
    sentiment = Column(gettext_lazy("Sentiment"))
    confidence = Column(
        gettext_lazy("Confidence"), orderable=True, attrs={"td": {"data-label": gettext_lazy("Confidence")}}
    )
    model = Column(gettext_lazy("Model"), accessor="language_model")
    language = Column(gettext_lazy("Language"))
    age = Column(
        gettext_lazy("Age"), accessor="received_at", orderable=True, attrs={"td": {"data-label": gettext_lazy("Age")}}
    )
    due = Column(gettext_lazy("Due"), accessor="due_at")
    assignee = Column(gettext_lazy("Assignee"), accessor="reviewer")
    take = ActionColumn(gettext_lazy("Review"), accessor="ticket_id")
    priority = Column(visible=False, orderable=True)

    class Meta:
        attrs = {"class": "queue", "role": "table"}
        default = ""
        orderable = False
        order_by = "priority"

    def __init__(self, assignments: AssignmentQuerySet, reviewer: User, categories: dict[int, str]) -> None:
        self.assignments = with_excerpts(assignments.select_related("sentiment", "language_model", "reviewer"))
        self.reviewer, self.categories = reviewer, categories
        self.now, self.soon = timezone.now(), timezone.now() + ReviewSettings.current().urgent
        super().__init__(self.assignments)

    def get_column_class_names(self, _names: set[str], bound_column: Any) -> set[str]:
        return {f"of-{bound_column.name}"}

    @property
    def is_sorted(self) -> bool:
        """Whether an order other than priority was asked for."""
        return bool(set(self.order_by) - {"priority"})

    def order_priority(self, _assignments: object, _descending: bool) -> Ordered:
        return by_priority(self.assignments, self.soon), True

    def order_confidence(self, _assignments: object, descending: bool) -> Ordered:
        return by_confidence(self.assignments, descending=descending), True

    def order_age(self, _assignments: object, descending: bool) -> Ordered:
        return by_arrival(self.assignments, descending=not descending), True

    def render_select(self, value: int, record: Assignment) -> SafeString | str:
        if bulk.exclusion_for(record, self.reviewer, self.now):
            return ""
        return format_html(
            '<input type="hidden" name="shown" value="{0}"><input type="checkbox" name="assignment" value="{0}" '
            'aria-label="{1}">',
            value,
            _("Select ticket %d") % record.ticket_id,
        )

    def render_ticket(self, record: Assignment) -> str:
        return excerpt_of(record)

    def render_reason(self, record: Assignment) -> str:
        return _("blind review") if record.blind else record.get_reason_display()

    def render_category(self, value: int) -> str:
        return self.categories[value]

    def render_confidence(self, value: float) -> str:
        """Rounded down, as on the ticket's page."""
        return f"{math.floor(value * 100 + 1e-9) / 100:.2f}"

    def render_age(self, value: datetime) -> SafeString:
        return _time(value, timesince(value, self.now, depth=1))

    def render_due(self, value: datetime) -> SafeString:
        if value <= self.now:
            return _time(value, _("%s overdue") % timesince(value, self.now, depth=1), urgent=True)
        return _time(value, _("in %s") % timeuntil(value, self.now, depth=1), urgent=value <= self.soon)

    def render_assignee(self, value: User, record: Assignment) -> str:
        return "" if record.is_free(self.now) else value.username

    def render_take(self, value: int) -> SafeString:
        return format_html(
            '<button class="plain" formaction="{}">{} <span class="visually-hidden">{}</span></button>',
            reverse("review:take", args=[value]),
            _("Review"),
            _("ticket %d") % value,
        )


def _time(moment: datetime, text: str, *, urgent: bool = False) -> SafeString:
    exact: Any = timezone.localtime(moment)
    kind = "urgent" if urgent else "moment"
    return format_html(
        '<time class="{}" datetime="{}" title="{}">{}</time>', kind, exact.isoformat(), f"{exact:%Y-%m-%d %H:%M}", text
    )
