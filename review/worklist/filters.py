"""What the queue's table can be filtered by, as its address says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
from django import forms
from django.contrib.auth.models import User
from django.db.models.functions import Coalesce
from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, Filter, FilterSet

from classifier.database import search
from classifier.models import Reason, Ticket
from classifier.models.taxonomy import SEPARATOR
from review.models import Assignment
from review.models.assignment import AssignmentQuerySet
from review.worklist.filter_options import Choices

BLIND = "blind"
WITHOUT_LABEL = {BLIND, Reason.FAILURE, Reason.OUT_OF_TAXONOMY}
REASONS = [
    *((reason.value, reason.label) for reason in Reason if reason != Reason.SURE),
    (BLIND, _("blind review")),
]
AGES = {
    "under-1h": (_("under an hour"), timedelta(hours=1)),
    "over-1h": (_("over an hour"), timedelta(hours=1)),
    "over-1d": (_("over a day"), timedelta(days=1)),
    "over-1w": (_("over a week"), timedelta(weeks=1)),
}
RANGES = ("received_at", "confidence")


class QuickSelect(forms.Select):
    """Django renders a template for each option; a taxonomy may have 500."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = "" if value is None else str(value)
        options = ((option, "selected" if str(option) == chosen else "", text) for option, text in self.choices)
        return format_html(
            "<select{}>{}</select>",
            flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name})),
            format_html_join("", '<option value="{}" {}>{}</option>', options),
        )


class ChoiceFilter(django_filters.ChoiceFilter):
    def __init__(self, **values: Any) -> None:
        super().__init__(**{"widget": QuickSelect, "empty_label": _("any")} | values)


class ShareFilter(Filter):
    """A number from 0 to 1."""

    field_class = forms.FloatField

    def __init__(self, **values: Any) -> None:
        attributes = {"step": "0.01", "inputmode": "decimal"}
        super().__init__(min_value=0, max_value=1, widget=forms.NumberInput(attrs=attributes), **values)


class AssignmentFilter(FilterSet):
    """The open assignments of the agents' lane. What makes no sense in an address filters nothing, and the form says
    so.
    """

    q = CharFilter(method="filter_words", label=_("words"), max_length=200, widget=forms.SearchInput)
    reason = ChoiceFilter(method="filter_reason", label=_("reason"), choices=REASONS)
    category = ChoiceFilter(method="filter_category", label=_("category"))
    sentiment = ChoiceFilter(label=_("sentiment"))
    age = ChoiceFilter(
        method="filter_age",
        label=_("age"),
        choices=[(key, name) for key, (name, _span) in AGES.items()],
    )
    confidence_min = ShareFilter(method="filter_share", label=_("confidence from"))
    confidence_max = ShareFilter(method="filter_share", label=_("confidence to"))
    model = ChoiceFilter(field_name="language_model", label=_("model"))
    language = ChoiceFilter(label=_("language"))
    assignee = ChoiceFilter(method="filter_assignee", label=_("assignee"), empty_label=_("anybody"))

    def __init__(self, data: QueryDict, reviewer: User, choices: Choices) -> None:
        self.searched = bool(search.words(data.get("q", "")))
        super().__init__(data, _found_by_ticket() if self.searched else _waiting())
        self.reviewer, self.choices, self.now = reviewer, choices, timezone.now()
        self._passes_over = False
        for name, offered in self._offered(data.get("assignee", "")).items():
            self.filters[name].extra["choices"] = offered

    def _offered(self, assignee: str) -> dict[str, list[tuple[Any, Any]]]:
        people = dict(self.choices.in_hand.values())
        if assignee.isdecimal() and len(assignee) < 19:
            # Who has let go meanwhile has nothing, which is not the same as a mistake in the address.
            people |= dict(User.objects.filter(pk=assignee).values_list("pk", "username"))
        return {
            "category": list(self.choices.categories.offered.items()),
            "sentiment": list(self.choices.sentiments.offered.items()),
            "model": list(self.choices.models.items()),
            "language": [(language, language) for language in self.choices.languages],
            "assignee": [("me", _("me")), ("nobody", _("nobody")), *people.items()],
        }

    @cached_property
    def given(self) -> dict[str, Any]:
        """What is filtered by."""
        self.form.full_clean()
        return {name: value for name, value in self.form.cleaned_data.items() if value not in ("", None)}

    @property
    def active(self) -> bool:
        return bool(self.given.keys() - {"q"}) or self.searched

    @property
    def unlabelled(self) -> bool:
        """Whether only assignments are left that no label stands on."""
        return self.given.get("reason") in WITHOUT_LABEL

    def looked_up(self) -> AssignmentQuerySet:
        """The assignments as they are found by what is asked for: fast where these are few."""
        return self._filtered(passes_over=False)

    def passed_over(self) -> AssignmentQuerySet:
        """The same assignments as they are found along an order, passing over others: fast where these are many."""
        return self._filtered(passes_over=True)

    def _filtered(self, *, passes_over: bool) -> AssignmentQuerySet:
        self._passes_over = passes_over
        assignments: AssignmentQuerySet = self.filter_queryset(self.queryset) if self.given else self.queryset
        return assignments

    def _range(self, name: str) -> str:
        return f"checked_{name}" if self._passes_over else name

    def filter_words(self, assignments: AssignmentQuerySet, _name: str, typed: str) -> AssignmentQuerySet:
        return assignments.filter(ticket__in=Ticket.objects.search(typed)) if self.searched else assignments

    def filter_reason(self, assignments: AssignmentQuerySet, _name: str, reason: str) -> AssignmentQuerySet:
        return assignments.filter(reason="", blind=True) if reason == BLIND else assignments.filter(reason=reason)

    def filter_category(self, assignments: AssignmentQuerySet, _name: str, pk: str) -> AssignmentQuerySet:
        """With those below it, for a child answers for its parent."""
        names = self.choices.categories.offered
        chosen = names[int(pk)]
        below = [other for other, name in names.items() if name.startswith(chosen + SEPARATOR)]
        return assignments.filter(category__in=[int(pk), *below]) if below else assignments.filter(category=int(pk))

    def filter_share(self, assignments: AssignmentQuerySet, name: str, share: float) -> AssignmentQuerySet:
        lookup = "gte" if name == "confidence_min" else "lte"
        return assignments.filter(**{f"{self._range('confidence')}__{lookup}": share})

    def filter_age(self, assignments: AssignmentQuerySet, _name: str, key: str) -> AssignmentQuerySet:
        since = self.now - AGES[key][1]
        return assignments.filter(
            **{f"{self._range('received_at')}__{'gt' if key.startswith('under') else 'lte'}": since}
        )

    def filter_assignee(self, assignments: AssignmentQuerySet, _name: str, who: str) -> AssignmentQuerySet:
        if who == "nobody":
            return assignments.exclude(pk__in=self.choices.in_hand)
        wanted = self.reviewer.pk if who == "me" else int(who)
        return assignments.filter(
            pk__in=[assignment for assignment, (person, _name) in self.choices.in_hand.items() if person == wanted]
        )


def _waiting() -> AssignmentQuerySet:
    """With aliases of what ranges are asked of, the same values where no index finds them."""
    assignments = Assignment.objects.in_lane(Assignment.Lane.AGENTS).open()
    return assignments.alias(**{f"checked_{name}": Coalesce(name, name) for name in RANGES})


def _found_by_ticket() -> AssignmentQuerySet:
    """The same assignments where their tickets are known: found by lane and state, all of them would be looked at."""
    return Assignment.objects.alias(
        checked_lane=Coalesce("lane", "lane"), checked_state=Coalesce("state", "state")
    ).filter(checked_lane=Assignment.Lane.AGENTS, checked_state=Assignment.State.OPEN)
