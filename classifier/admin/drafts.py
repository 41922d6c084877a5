"""Taxonomy drafts in the admin."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from classifier.admin.editing import EditAdmin, EditForm
from classifier.admin.taxonomy_files import TaxonomyFiles
from classifier.contract import prompt
from classifier.models import ContractVersion, Draft, DraftLabel
from classifier.models.contract import EmptyTaxonomy
from classifier.models.taxonomy import paths
from classifier.taxonomy import drafts

MOST_EDITABLE = 200
"""Labels of a draft that one form shows: it lists all of them as parents in each row."""

PUBLISHING = tuple(f"classifier.change_{name}" for name in ("draft", "category", "sentiment", "gate"))


class DraftForm(EditForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if instructions := self.fields.get("instructions"):
            instructions.widget.attrs |= {"rows": 16, "placeholder": prompt.INSTRUCTIONS}

    def clean(self) -> dict[str, Any]:
        if not self.instance.pk:
            try:
                ContractVersion.objects.current()
            except EmptyTaxonomy as error:
                raise ValidationError(str(error)) from error
        return super().clean() or self.cleaned_data


class DraftLabelForm(EditForm):
    """A label; its parent is a label of the same draft."""

    def __init__(self, *args: Any, parents: dict[int, str], at: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial.setdefault("position", at)
        if "parent" in self.fields:
            parent = cast(forms.ModelChoiceField, self.fields["parent"])
            offered = {pk: name for pk, name in parents.items() if pk != self.instance.pk}
            parent.queryset = DraftLabel.objects.filter(pk__in=offered)
            # Choices are shared, or every row of the page would query them.
            parent.choices = [("", "---------"), *offered.items()]

    def changed_columns(self) -> list[str]:
        """With the name, which the formset sets aside before saving."""
        return [*{*super().changed_columns(), "name"}]

    def validate_constraints(self) -> None:
        """Left to the formset: a name may move from one label to another in the same submission."""


class DraftLabelFormSet(forms.BaseInlineFormSet):
    axis: DraftLabel.Axis

    @cached_property
    def _shared(self) -> dict[str, Any]:
        rows = list(self.get_queryset())
        names = paths(rows)
        # A label in a circle of parents has no path.
        names |= {row.pk: row.name for row in rows if row.pk not in names}
        return {"parents": names, "at": max((row.position for row in rows), default=0) + 1}

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return super().get_form_kwargs(index) | self._shared

    def clean(self) -> None:
        super().clean()
        used_names: set[Any] = set()
        for form in self.forms:
            values = getattr(form, "cleaned_data", None)
            if not values or values.get("dropped") or "name" not in values:
                continue
            place = (values.get("parent"), values["name"])
            if place in used_names:
                form.add_error("name", gettext("A label with this name already exists here."))
            used_names.add(place)

    def save(self, commit: bool = True) -> Any:
        changed = [form.instance.pk for form in self.initial_forms if form.has_changed()]
        aside = Concat(Value(">"), Cast("pk", CharField()))
        DraftLabel.objects.filter(pk__in=changed, draft=self.instance).update(name=aside)
        return super().save(commit)

    def save_new(self, form: Any, commit: bool = True) -> Any:
        form.instance.axis = self.axis
        return super().save_new(form, commit)


class CategoryFormSet(DraftLabelFormSet):
    axis = DraftLabel.Axis.CATEGORY


class SentimentFormSet(DraftLabelFormSet):
    axis = DraftLabel.Axis.SENTIMENT


class DraftLabelInline(admin.TabularInline):
    model = DraftLabel
    form = DraftLabelForm
    extra = 2
    can_delete = False
    axis: DraftLabel.Axis

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        labels: QuerySet[Any] = super().get_queryset(request).filter(axis=self.axis)
        return labels

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # Narrow enough for a row to fit on a screen.
        if db_field.name in ("description", "examples"):
            kwargs["widget"] = forms.Textarea(attrs={"rows": 3, "cols": 26})
        elif db_field.name == "name":
            kwargs["widget"] = forms.TextInput(attrs={"size": 16})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_add_permission(request, obj)) and _is_open(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and _is_open(obj)


class CategoryInline(DraftLabelInline):
    axis = DraftLabel.Axis.CATEGORY
    formset = CategoryFormSet
    fields = ("name", "parent", "description", "examples", "position", "dropped")
    verbose_name, verbose_name_plural = _("category"), _("categories")


class SentimentInline(DraftLabelInline):
    axis = DraftLabel.Axis.SENTIMENT
    formset = SentimentFormSet
    fields = ("name", "description", "examples", "position", "dropped")
    verbose_name, verbose_name_plural = _("sentiment"), _("sentiments")


def _is_too_large(draft: Draft) -> bool:
    return draft.labels.count() > MOST_EDITABLE


def _is_open(draft: Draft | None) -> bool:
    return draft is None or draft.published_at is None


@admin.register(Draft)
class DraftAdmin(TaxonomyFiles, EditAdmin):
    """Drafts copy the current taxonomy; they are edited, measured and published. Published drafts are read-only."""

    form = DraftForm
    inlines = (CategoryInline, SentimentInline)
    list_display = ("name", "created_by", "created_at", "published_at")
    list_select_related = ("created_by",)
    list_filter = (("published_at", admin.EmptyFieldListFilter),)
    search_fields = ("name",)
    change_form_template = "admin/classifier/draft/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Draft | None = None) -> tuple[str, ...]:
        return ("name", "instructions", "created_by", "created_at", "published_at") if obj else ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Draft | None = None) -> tuple[str, ...]:
        return ("created_by", "created_at", "published_at")

    def get_inlines(self, request: HttpRequest, obj: Draft | None) -> tuple[Any, ...]:
        return self.inlines if obj and not _is_too_large(obj) else ()

    def has_change_permission(self, request: HttpRequest, obj: Draft | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and _is_open(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Draft | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and _is_open(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        # Unpublished drafts are deleted on their own page.
        actions.pop("delete_selected", None)
        return actions

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/publish/", wrap(self.publish), name="classifier_draft_publish"),
            path("<int:pk>/restart/", wrap(require_POST(self.restart)), name="classifier_draft_restart"),
        ]
        return [*own, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Draft, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.created_by = cast(User, request.user)
        drafts.store_with_copy(obj)

    def response_add(self, request: HttpRequest, obj: Draft, post_url_continue: str | None = None) -> HttpResponse:
        text = gettext(
            "The draft starts from the current taxonomy. Edit it below; nothing changes until you publish it."
        )
        self.message_user(request, text)
        return HttpResponseRedirect(reverse("admin:classifier_draft_change", args=[obj.pk]))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        draft = self.get_object(request, object_id) if object_id else None
        context = self._context(request, draft) if draft else {}
        page: HttpResponse = super().changeform_view(request, object_id, form_url, (extra_context or {}) | context)
        return page

    def publish(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A confirmation page that lists the changes."""
        draft = get_object_or_404(Draft, pk=pk)
        if not request.user.has_perms(PUBLISHING):
            raise PermissionDenied
        back = reverse("admin:classifier_draft_change", args=[pk])
        if request.method == "POST" and self._done(request, draft):
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | self._context(request, draft)
        context |= {"title": gettext("Publish the draft %s") % draft, "opts": self.opts, "draft": draft, "back": back}
        return TemplateResponse(request, "admin/classifier/draft/publish.html", context)

    def restart(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start another draft from the current taxonomy; this one stays as it is."""
        draft = get_object_or_404(Draft, pk=pk)
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            return self.response_add(request, drafts.restart(draft, cast(User, request.user)))
        except EmptyTaxonomy as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:classifier_draft_change", args=[pk]))

    def _context(self, request: HttpRequest, draft: Draft) -> dict[str, Any]:
        return {
            "summary": drafts.summary(draft),
            "built_in": prompt.INSTRUCTIONS,
            "too_large": _is_too_large(draft),
            "publishes": _is_open(draft) and request.user.has_perms(PUBLISHING),
            "restarts": self.has_add_permission(request),
        }

    def _done(self, request: HttpRequest, draft: Draft) -> bool:
        try:
            drafts.publish(draft, cast(User, request.user))
        except (EmptyTaxonomy, ValidationError):
            # The page lists what prevents publishing.
            return False
        text = gettext(
            "New tickets use a new prompt version. To update earlier tickets, select them and choose “Classify again”."
        )
        self.message_user(request, gettext("%s is published.") % draft)
        self.message_user(request, text, messages.WARNING)
        return True
