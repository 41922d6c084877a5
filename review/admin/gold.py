"""Django admin of gold labels, snapshots and benchmark runs."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from classifier.admin.editing import EditAdmin, EditForm
from classifier.admin.tickets import ReadOnlyAdmin
from classifier.models import Category, Sentiment
from classifier.text import storable
from review.gold import disputes, gold_labels
from review.models import GoldLabel, Run, Side, Snapshot
from review.models.gold import GoldLabelQuerySet

State = GoldLabel.State


_SHOWN = ("category_shown", "sentiment_shown")
HARMLESS_LOOKUPS = {"side", "look", "origin", "origin__exact", "state", "state__exact", "q", "o", "p", "e", "all"}
HARMLESS_LOOKUPS |= {"_changelist_filters", "_popup", "_to_field"}
"""What may be searched by, and yet sealed labels are listed."""


class SideFilter(admin.SimpleListFilter):
    title = gettext_lazy("side")
    parameter_name = "side"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*Side.choices, ("none", gettext_lazy("neither"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(group=None)
        return queryset.filter(group__side=self.value()) if self.value() else queryset


class LookFilter(admin.SimpleListFilter):
    title = gettext_lazy("new look")
    parameter_name = "look"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("wanted", gettext_lazy("its label was retired or split since"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        labels: GoldLabelQuerySet = queryset
        return labels.needing_review() if self.value() else labels


class GoldLabelForm(EditForm):
    """Adds a label by hand. Existing ones are disputed, not edited."""

    class Meta:
        model = GoldLabel
        fields = ("text", "category", "sentiment", "language", "source", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, active in (("category", Category.objects.active()), ("sentiment", Sentiment.objects.active())):
            if name in self.fields:
                cast(Any, self.fields[name]).queryset = active

    def clean_text(self) -> str:
        text = storable(self.cleaned_data["text"])
        if GoldLabel.objects.filter(digest=GoldLabel.digest_of(text)).exists():
            raise ValidationError(_("This text already has a label. If it is wrong, dispute it."))
        return text


@admin.register(GoldLabel)
class GoldLabelAdmin(EditAdmin):
    """Add, retire, restore and dispute gold labels; their labels cannot be edited."""

    form = GoldLabelForm
    list_display = (
        "__str__",
        *_SHOWN,
        "side_shown",
        "origin",
        "state",
        "people",
        "labelled_at",
    )
    list_select_related = ("category", "sentiment", "group", "ticket")
    list_filter = ("state", SideFilter, LookFilter, "origin", "corrected", "category", "sentiment")
    search_fields = ("text",)
    actions = ("retire", "put_back", "dispute")
    show_full_result_count = False
    change_list_template = "admin/review/goldlabel/change_list.html"

    @admin.display(description=gettext_lazy("side"))
    def side_shown(self, label: GoldLabel) -> str:
        return str(Side(label.side).label) if label.side else _("neither")

    @admin.display(description=gettext_lazy("category"))
    def category_shown(self, label: GoldLabel) -> Category | None:
        return None if label.sealed else label.category

    @admin.display(description=gettext_lazy("sentiment"))
    def sentiment_shown(self, label: GoldLabel) -> Sentiment | None:
        return None if label.sealed else label.sentiment

    def get_queryset(self, request: HttpRequest) -> QuerySet[GoldLabel]:
        """A search by anything that would reveal a sealed label leaves those out."""
        labels = cast(GoldLabelQuerySet, super().get_queryset(request))
        return labels if request.GET.keys() <= HARMLESS_LOOKUPS else labels.unsealed()

    def get_readonly_fields(self, request: HttpRequest, obj: GoldLabel | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return (
            "text",
            *_SHOWN,
            "language",
            "source",
            "state",
            "side_shown",
            "origin",
            "people",
        )

    def get_fields(self, request: HttpRequest, obj: GoldLabel | None = None) -> Any:
        return (*self.get_readonly_fields(request, obj), "note") if obj else GoldLabelForm.Meta.fields

    def save_model(self, request: HttpRequest, obj: GoldLabel, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.digest, obj.origin = GoldLabel.digest_of(obj.text), GoldLabel.Origin.ADMIN
        gold_labels.add_gold_labels([obj])

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description=gettext_lazy("Retire: stop using for benchmarks and training"))
    def retire(self, request: HttpRequest, queryset: QuerySet[GoldLabel]) -> None:
        number = self._withdraw_disputes(request, queryset, state=State.RETIRED)
        number += queryset.exclude(state__in=[State.RETIRED, State.DISPUTED]).update(state=State.RETIRED)
        self._message(request, ngettext("%d label is retired.", "%d labels are retired.", number) % number)

    @admin.action(description=gettext_lazy("Put back into use"))
    def put_back(self, request: HttpRequest, queryset: QuerySet[GoldLabel]) -> None:
        put_back = {"state": State.ACTIVE, "note": ""}
        number = self._withdraw_disputes(request, queryset, **put_back)
        number += queryset.filter(state__in=[State.RETIRED, State.CONTRADICTED]).update(**put_back)
        self._message(request, ngettext("%d label is in use again.", "%d labels are in use again.", number) % number)

    @admin.action(description=gettext_lazy("Dispute: ask two other people, without showing the label"))
    def dispute(self, request: HttpRequest, queryset: QuerySet[GoldLabel]) -> None:
        disputed = 0
        for label in queryset[: disputes.MOST_AT_ONCE]:
            try:
                disputes.dispute(label, cast(User, request.user))
                disputed += 1
            except disputes.CannotDispute:
                continue
        message = ngettext("%d label goes to two people.", "%d labels go to two people each.", disputed) % disputed
        self._message(request, message)

    def _withdraw_disputes(self, request: HttpRequest, queryset: QuerySet[GoldLabel], **then: Any) -> int:
        """Withdraw disputes of the selected labels; returns how many."""
        by = cast(User, request.user)
        return sum(disputes.withdraw_dispute(label, by, **then) for label in queryset.filter(state=State.DISPUTED))

    def _message(self, request: HttpRequest, text: str) -> None:
        self.message_user(request, text, messages.SUCCESS)


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("short", "created_at", "created_by", "items_count", "exports")
    list_select_related = ("created_by",)

    @admin.display(description=gettext_lazy("export"))
    def exports(self, snapshot: Snapshot) -> SafeString:
        url = reverse("review:snapshot", args=[quote(snapshot.short)])
        return format_html('<a href="{}">{}</a>', url, _("Formats"))


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "state", "snapshot", "items_count", "created_by", "created_at", "finished_at")
    list_select_related = ("snapshot", "created_by")
    list_filter = ("state",)
