"""Categories and sentiments, with their guard rails."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin

from classifier import taxonomy
from classifier.models import Category, Sentiment
from classifier.models.taxonomy import paths


class MergeForm(forms.Form):
    into = forms.ModelChoiceField(Category.objects.none(), label=_("Merge into"))

    def __init__(self, *args: Any, targets: QuerySet[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["into"].queryset = targets  # type: ignore[attr-defined]


class LabelAdmin(SimpleHistoryAdmin):
    """What categories and sentiments share. A label in use is retired or merged, never deleted."""

    search_fields = ("name", "description")
    list_filter = ("retired",)
    readonly_fields = ("merged_into",)
    actions = ("retire", "restore", "merge")
    save_on_top = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Retiring has rules of its own, which the actions keep.
        return (*super().get_readonly_fields(request, obj), "retired")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or taxonomy.deletable(obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        # Deleting is offered on the page of a label that nothing refers to.
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            text = gettext(
                "New tickets are classified under a new contract. To have earlier ones follow, use “Classify again”."
            )
            self.message_user(request, text, messages.WARNING)

    @admin.action(description=_("Retire"), permissions=["change"])
    def retire(self, request: HttpRequest, labels: QuerySet[Any]) -> None:
        self._each(request, labels, taxonomy.retire, gettext("%s is retired."))

    @admin.action(description=_("Restore"), permissions=["change"])
    def restore(self, request: HttpRequest, labels: QuerySet[Any]) -> None:
        self._each(request, labels, taxonomy.restore, gettext("%s is in use again."))

    def _each(self, request: HttpRequest, labels: QuerySet[Any], verb: Any, done: str) -> None:
        for label in labels:
            try:
                verb(label)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.ERROR)
            else:
                self.message_user(request, done % label)

    @admin.action(description=_("Merge into another…"), permissions=["change"])
    def merge(self, request: HttpRequest, labels: QuerySet[Any]) -> HttpResponse | None:
        """A page that shows what will move, and asks where to."""
        form = MergeForm(request.POST if "into" in request.POST else None, targets=self._targets(labels))
        if form.is_valid():
            into = form.cleaned_data["into"]
            done = gettext("%%s is merged into %s.") % str(into).replace("%", "%%")
            self._each(request, labels, lambda label: taxonomy.merge(label, into), done)
            return None
        context = self.admin_site.each_context(request) | {
            "title": gettext("Merge labels"),
            "opts": self.model._meta,
            "labels": [(label, list(taxonomy.references(label))) for label in labels],
            "form": form,
        }
        return TemplateResponse(request, "admin/classifier/merge.html", context)

    def _targets(self, labels: QuerySet[Any]) -> QuerySet[Any]:
        model: type[Category | Sentiment] = self.model
        return model._default_manager.filter(retired=False).exclude(pk__in=labels.values("pk"))


@admin.register(Category)
class CategoryAdmin(LabelAdmin):
    list_display = ("full_name", "description", "position", "retired", "merged_into")
    list_select_related = ("merged_into",)
    fields = ("name", "parent", "description", "examples", "position", "retired", "merged_into")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        self._paths = paths(Category.objects.all())
        categories: QuerySet[Any] = super().get_queryset(request)
        return categories

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Children below their parents, whatever the page."""
        changelist = super().get_changelist_instance(request)
        place = {pk: number for number, pk in enumerate(self._paths)}
        changelist.result_list = sorted(changelist.result_list, key=lambda category: place[category.pk])
        return changelist

    @admin.display(description=_("category"))
    def full_name(self, category: Category) -> str:
        return self._paths.get(category.pk, category.name)


@admin.register(Sentiment)
class SentimentAdmin(LabelAdmin):
    list_display = ("name", "description", "position", "retired", "merged_into")
    list_select_related = ("merged_into",)
    fields = ("name", "description", "examples", "position", "retired", "merged_into")
