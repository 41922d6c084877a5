"""Filters of the queue's table, read from the query string."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter, FilterSet, ModelChoiceFilter, NumberFilter

from classifier.contract.types import SEPARATOR
from classifier.database import search
from classifier.models import Category, LanguageModel, Reason, Sentiment, Ticket
from classifier.text import key_from
from review.models import Assignment
from review.models.assignment import AssignmentQuerySet

BLIND = "blind"
REASONS = [
    *((reason.value, reason.label) for reason in Reason if reason != Reason.CONFIDENT),
    (BLIND, _("blind review")),
]
AGES = {
    "under-1h": (_("under an hour"), timedelta(hours=1)),
    "over-1h": (_("over an hour"), timedelta(hours=1)),
    "over-1d": (_("over a day"), timedelta(days=1)),
    "over-1w": (_("over a week"), timedelta(weeks=1)),
}
LOOKED_THROUGH = 2_000
"""The latest assignments whose languages are offered, so that the cost does not grow with the queue."""


def _languages() -> list[tuple[str, str]]:
    latest = Assignment.objects.in_lane(Assignment.Lane.AGENTS).open().order_by("-received_at", "-id")[:LOOKED_THROUGH]
    languages = Assignment.objects.filter(pk__in=latest).exclude(language="").order_by("language")
    return [(language, language) for language in languages.values_list("language", flat=True).distinct()]


def _assignees(request: HttpRequest) -> Any:
    """People with an open ticket, and the one asked for, who may have released theirs."""
    held_assignments = Assignment.objects.open().filter(reviewer__isnull=False, leased_until__gt=timezone.now())
    wanted = Q(pk=key_from(request.GET.get("assignee", "")))
    return User.objects.filter(wanted | Q(pk__in=held_assignments.values("reviewer"))).order_by("username")


class AssignmentFilter(FilterSet):
    """Filters open assignments in the agents' lane; an invalid value filters nothing and shows an error."""

    q = CharFilter(method="filter_words", label=_("words"), max_length=200, widget=forms.SearchInput)
    reason = ChoiceFilter(method="filter_reason", label=_("reason"), choices=REASONS, empty_label=_("any"))
    category = ChoiceFilter(method="filter_category", label=_("category"), empty_label=_("any"))
    sentiment = ModelChoiceFilter(queryset=Sentiment.objects.active(), label=_("sentiment"), empty_label=_("any"))
    age = ChoiceFilter(
        method="filter_age",
        label=_("age"),
        choices=[(key, name) for key, (name, _span) in AGES.items()],
        empty_label=_("any"),
    )
    confidence_min = NumberFilter("confidence", "gte", label=_("confidence from"), min_value=0, max_value=1)
    confidence_max = NumberFilter("confidence", "lte", label=_("confidence to"), min_value=0, max_value=1)
    model = ModelChoiceFilter(
        "language_model", queryset=LanguageModel.objects.all(), label=_("model"), empty_label=_("any")
    )
    language = ChoiceFilter(label=_("language"), choices=_languages, empty_label=_("any"))
    assignee = ModelChoiceFilter(
        queryset=_assignees,
        method="filter_assignee",
        label=_("assignee"),
        empty_label=_("anyone"),
        null_label=_("nobody"),
        null_value="nobody",
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET, Assignment.objects.in_lane(Assignment.Lane.AGENTS).open(), request=request)
        self.offered = Category.objects.active().paths()
        self.filters["category"].extra["choices"] = list(self.offered.items())

    @property
    def active(self) -> bool:
        return any(value not in ("", None) for value in self.form.cleaned_data.values())

    def filter_words(self, assignments: AssignmentQuerySet, _name: str, typed: str) -> AssignmentQuerySet:
        return (
            assignments.filter(ticket__in=Ticket.objects.search(typed)) if search.search_words(typed) else assignments
        )

    def filter_reason(self, assignments: AssignmentQuerySet, _name: str, reason: str) -> AssignmentQuerySet:
        return assignments.filter(reason="", blind=True) if reason == BLIND else assignments.filter(reason=reason)

    def filter_category(self, assignments: AssignmentQuerySet, _name: str, pk: str) -> AssignmentQuerySet:
        """Match the category and its descendants."""
        below = self.offered[int(pk)] + SEPARATOR
        return assignments.filter(
            category__in=[int(pk), *(pk for pk, name in self.offered.items() if name.startswith(below))]
        )

    def filter_age(self, assignments: AssignmentQuerySet, _name: str, key: str) -> AssignmentQuerySet:
        since = timezone.now() - AGES[key][1]
        return assignments.filter(**{f"received_at__{'gt' if key.startswith('under') else 'lte'}": since})

    def filter_assignee(self, assignments: AssignmentQuerySet, _name: str, reviewer: User | str) -> AssignmentQuerySet:
        now = timezone.now()
        return (
            assignments.free(now)
            if isinstance(reviewer, str)
            else assignments.filter(reviewer=reviewer, leased_until__gt=now)
        )
