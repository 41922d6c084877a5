"""Categories and sentiments in the admin."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.admin.history import HistoryAdmin
from classifier.models import Category, Sentiment
from classifier.taxonomy import label_changes


class MergeForm(forms.Form):
    into: forms.ModelChoiceField = forms.ModelChoiceField(None, label=_("Merge into"))

    def __init__(self, *args: Any, targets: QuerySet[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["into"]).queryset = targets


class LabelAdmin(HistoryAdmin):
    """Labels in use are retired or merged, never deleted."""

    change_list_template = "admin/classifier/label_list.html"
    search_fields = ("name", "description")
    list_filter = ("retired",)
    # Retiring and merging have rules that only the actions enforce.
    readonly_fields = ("retired", "merged_into", "referred_to_by")
    actions = ("retire", "restore", "merge")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return fields if obj else [name for name in fields if name not in self.readonly_fields]

    @admin.display(description=_("used by"))
    def referred_to_by(self, label: Category | Sentiment) -> str:
        uses = ", ".join(f"{count:,} {name}" for name, count in label_changes.references(label) if count)
        if uses:
            return gettext("%s. Retire or merge it; it can't be deleted.") % uses
        return gettext("nothing")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or label_changes.is_deletable(obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        # Unused labels are deleted on their own page.
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            text = gettext(
                "New tickets use a new prompt version. To update earlier tickets, select them and choose "
                "“Classify again”."
            )
            self.message_user(request, text, messages.WARNING)

    @admin.action(description=_("Retire"), permissions=["change"])
    def retire(self, request: HttpRequest, labels: QuerySet[Any]) -> None:
        self._apply(request, labels, label_changes.retire, gettext("%s is retired."))

    @admin.action(description=_("Restore"), permissions=["change"])
    def restore(self, request: HttpRequest, labels: QuerySet[Any]) -> None:
        self._apply(request, labels, label_changes.restore, gettext("%s is active again."))

    def _apply(self, request: HttpRequest, labels: QuerySet[Any], action: Any, done: str) -> None:
        for label in labels:
            try:
                action(label)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.ERROR)
            else:
                self.message_user(request, done % label)

    @admin.action(description=_("Merge into another label…"), permissions=["change"])
    def merge(self, request: HttpRequest, labels: QuerySet[Any]) -> HttpResponse | None:
        """A page that shows what will move, and asks for the target."""
        targets = self.model._default_manager.filter(retired=False).exclude(pk__in=labels.values("pk"))
        form = MergeForm(request.POST if "into" in request.POST else None, targets=targets)
        if form.is_valid():
            into = form.cleaned_data["into"]
            done = gettext("%%s is merged into %s.") % str(into).replace("%", "%%")
            self._apply(request, labels, lambda label: label_changes.merge(label, into), done)
            return None
        context = self.admin_site.each_context(request) | {
            "title": gettext("Merge labels"),
            "opts": self.model._meta,
            "labels": [(label, list(label_changes.references(label))) for label in labels],
            "form": form,
        }
        return TemplateResponse(request, "admin/classifier/merge.html", context)


@admin.register(Category)
class CategoryAdmin(LabelAdmin):
    list_display = ("full_name", "description", "position", "shortcut", "retired", "merged_into")
    list_select_related = ("merged_into",)
    # The list is a tree, so it has a fixed order and one page.
    sortable_by = ()
    list_per_page = 1_000
    fields = (
        "name",
        "parent",
        "description",
        "examples",
        "position",
        "shortcut",
        "retired",
        "merged_into",
        "referred_to_by",
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Lists children below their parents."""
        changelist = super().get_changelist_instance(request)
        place = {pk: number for number, pk in enumerate(Category.objects.paths())}
        changelist.result_list = sorted(changelist.result_list, key=lambda category: place.get(category.pk, len(place)))
        return changelist


@admin.register(Sentiment)
class SentimentAdmin(LabelAdmin):
    list_display = ("name", "description", "position", "shortcut", "retired", "merged_into")
    list_select_related = ("merged_into",)
    fields = ("name", "description", "examples", "position", "shortcut", "retired", "merged_into", "referred_to_by")
