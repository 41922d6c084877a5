"""Drafts of the taxonomy and the instructions."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.contract import prompt
from classifier.models import ContractVersion, Draft, DraftLabel
from classifier.models.contract import EmptyTaxonomy
from classifier.models.taxonomy import paths
from classifier.taxonomy import drafts

PUBLISHING = tuple(f"classifier.change_{name}" for name in ("draft", "category", "sentiment", "gate"))


class DraftForm(forms.ModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if instructions := self.fields.get("instructions"):
            instructions.widget.attrs |= {"rows": 16, "placeholder": prompt.INSTRUCTIONS}

    def clean(self) -> dict[str, Any]:
        if not self.instance.pk:
            try:
                ContractVersion.objects.in_force()
            except EmptyTaxonomy as error:
                raise ValidationError(str(error)) from error
        return super().clean() or self.cleaned_data


class DraftLabelForm(forms.ModelForm):
    """A label; its parent is one of the same draft, by its full name."""

    def __init__(
        self, *args: Any, parents: dict[str, DraftLabel], names: dict[int, str], at: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial.setdefault("position", at)
        if "parent" in self.fields:
            offered = [(pk, names[int(pk)]) for pk in parents if int(pk) != self.instance.pk]
            self.fields["parent"] = forms.TypedChoiceField(
                choices=[("", "---------"), *offered],
                coerce=lambda pk: _one_of(parents, pk),
                empty_value=None,
                required=False,
                label=_("parent"),
            )

    def validate_constraints(self) -> None:
        """Left to the formset: a name may be taken over from a label that gives it up in the same go."""


def _one_of(parents: dict[str, DraftLabel], pk: Any) -> DraftLabel:
    try:
        return parents[str(pk)]
    except KeyError as error:
        raise ValueError from error


class DraftLabelFormSet(forms.BaseInlineFormSet):
    axis: DraftLabel.Axis

    @cached_property
    def _rows(self) -> dict[int, DraftLabel]:
        return {row.pk: row for row in self.get_queryset()}

    @cached_property
    def _names(self) -> dict[int, str]:
        names = paths(self._rows.values())
        # One that stands below itself is in no path.
        return names | {pk: row.name for pk, row in self._rows.items() if pk not in names}

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs(index)
        parents = {str(pk): self._rows[pk] for pk in self._names}
        last = max((row.position for row in self._rows.values()), default=0)
        return kwargs | {"parents": parents, "names": self._names, "at": last + 1}

    def clean(self) -> None:
        super().clean()
        taken: set[Any] = set()
        for form in self.forms:
            values = getattr(form, "cleaned_data", None)
            if not values or values.get("dropped") or "name" not in values:
                continue
            place = (values.get("parent"), values["name"])
            if place in taken:
                form.add_error("name", gettext("There is a label of this name here already."))
            taken.add(place)

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


def _is_open(draft: Draft | None) -> bool:
    return draft is None or draft.published_at is None


@admin.register(Draft)
class DraftAdmin(admin.ModelAdmin):
    """Copies what is in force, to be edited, measured and published. What is published is to be read."""

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
        return self.inlines if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Draft | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and _is_open(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Draft | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and _is_open(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        # Deleting is offered on the page of a draft that is not published.
        actions.pop("delete_selected", None)
        return actions

    def get_urls(self) -> list[Any]:
        own = path("<int:pk>/publish/", self.admin_site.admin_view(self.publish), name="classifier_draft_publish")
        return [own, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Draft, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.created_by = cast(User, request.user)
        drafts.start(obj)

    def response_add(self, request: HttpRequest, obj: Draft, post_url_continue: str | None = None) -> HttpResponse:
        text = gettext("The draft is as the taxonomy is now. Edit it below; nothing changes until it is published.")
        self.message_user(request, text)
        return HttpResponseRedirect(reverse("admin:classifier_draft_change", args=[obj.pk]))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        draft = self.get_object(request, object_id) if object_id else None
        context = _told(draft) | {"publishes": self._publishes(request, draft)} if draft else {}
        page: HttpResponse = super().changeform_view(request, object_id, form_url, (extra_context or {}) | context)
        return page

    def publish(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A page that says what will change, and asks."""
        draft = Draft.objects.filter(pk=pk).first()
        if draft is None:
            raise Http404
        if not request.user.has_perms(PUBLISHING):
            raise PermissionDenied
        back = reverse("admin:classifier_draft_change", args=[pk])
        if request.method == "POST" and self._done(request, draft):
            return HttpResponseRedirect(back)
        told = _told(draft)
        context = self.admin_site.each_context(request) | told
        context |= {"title": gettext("Publish the draft %s") % draft, "opts": self.opts, "draft": draft, "back": back}
        return TemplateResponse(request, "admin/classifier/draft/publish.html", context)

    def _publishes(self, request: HttpRequest, draft: Draft) -> bool:
        return _is_open(draft) and request.user.has_perms(PUBLISHING)

    def _done(self, request: HttpRequest, draft: Draft) -> bool:
        try:
            drafts.publish(draft, cast(User, request.user))
        except (EmptyTaxonomy, ValidationError):
            # The page says what stands in the way.
            return False
        text = gettext(
            "New tickets are classified under a new contract. To have earlier ones follow, use “Classify again”."
        )
        self.message_user(request, gettext("%s is published.") % draft)
        self.message_user(request, text, messages.WARNING)
        return True


def _told(draft: Draft) -> dict[str, Any]:
    """What the draft changes, or what stands in the way."""
    try:
        return {"changes": drafts.changes(draft), "problems": [], "built_in": prompt.INSTRUCTIONS}
    except EmptyTaxonomy as error:
        problems = [str(error)]
    except ValidationError as error:
        problems = error.messages
    return {"changes": [], "problems": problems, "built_in": prompt.INSTRUCTIONS}
