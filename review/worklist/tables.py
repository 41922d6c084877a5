"""The queue's table: its columns, their order, and what a row shows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import django_tables2
from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tables2 import Column

from classifier.models import Reason
from classifier.models.prediction import round_down
from review.models import ReviewSettings
from review.models.assignment import AssignmentQuerySet
from review.screen import bulk
from review.worklist.listing import ChainedQuerysets, by_arrival, by_confidence, by_priority

Ordered = tuple[ChainedQuerysets, bool]


class ActionColumn(Column):
    """A column of controls, whose header only screen readers announce."""

    @property
    def header(self) -> SafeString:
        return format_html('<span class="visually-hidden">{}</span>', self.verbose_name)


class Row(NamedTuple):
    """An assignment as the table shows it; times are local."""

    assignment: Any
    selectable: bool
    reason: str
    confidence: str
    received: datetime
    age: str
    due: datetime | None
    due_in: str
    urgent: bool
    assignee: str


class AssignmentTable(django_tables2.Table):
    """Open assignments that one person may take or accept, by priority unless another order is asked for.

    Its template renders whole rows: cell by cell, django-tables2 would take most of the page's time.
    """

    select = ActionColumn(gettext_lazy("Select"))
    ticket = Column(gettext_lazy("Ticket"))
    reason = Column(gettext_lazy("Reason"))
    category = Column(gettext_lazy("Category"))
    sentiment = Column(gettext_lazy("Sentiment"))
    confidence = Column(gettext_lazy("Confidence"), orderable=True)
    model = Column(gettext_lazy("Model"))
    language = Column(gettext_lazy("Language"))
    age = Column(gettext_lazy("Age"), orderable=True)
    due = Column(gettext_lazy("Due"))
    assignee = Column(gettext_lazy("Assignee"))
    take = ActionColumn(gettext_lazy("Review"))
    priority = Column(visible=False, orderable=True)

    class Meta:
        orderable = False
        order_by = "priority"
        template_name = "review/worklist/_rows.html"

    def __init__(self, assignments: AssignmentQuerySet, reviewer: User) -> None:
        self.assignments, self.reviewer = assignments, reviewer
        self.now, self.soon = timezone.now(), timezone.now() + ReviewSettings.current().urgent
        super().__init__(self.assignments)

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

    def sort_link(self, column: Any) -> str:
        query: QueryDict = self.request.GET.copy()
        query.pop("page", None)
        query["sort"] = column.order_by_alias.next
        return f"?{query.urlencode()}"

    def queue_rows(self) -> Iterator[Row]:
        """The rows of the page."""
        reasons = {reason.value: str(reason.label) for reason in Reason}
        for assignment in self.page.object_list.data:
            due = assignment.due_at
            yield Row(
                assignment=assignment,
                selectable=bulk.exclusion_for(assignment, self.reviewer, self.now) is None,
                reason=_("blind review") if assignment.blind else reasons.get(assignment.reason, ""),
                confidence="" if assignment.confidence is None else round_down(assignment.confidence),
                received=timezone.localtime(assignment.received_at),
                age=timesince(assignment.received_at, self.now, depth=1),
                due=due and timezone.localtime(due),
                due_in=self._due_in(due) if due else "",
                urgent=due is not None and due <= self.soon,
                assignee="" if assignment.is_free(self.now) else assignment.assignee,
            )

    def _due_in(self, due: datetime) -> str:
        if due <= self.now:
            return _("%s overdue") % timesince(due, self.now, depth=1)
        return _("in %s") % timeuntil(due, self.now, depth=1)
