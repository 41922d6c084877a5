"""Attributes and their options in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.admin.editing import EditForm
from classifier.admin.history import HistoryAdmin
from classifier.admin.labels import LabelAdmin
from classifier.contract import patterns
from classifier.models import Attribute, AttributeOption
from classifier.models.attributes import MOST_OPTIONS
from classifier.taxonomy import attribute_changes


class OptionFormSet(forms.BaseInlineFormSet):
    """Options of one of or several of; other kinds have none."""

    def clean(self) -> None:
        super().clean()
        filled = [form for form in self.forms if form.has_changed() or form.instance.pk]
        if filled and not self.instance.has_options:
            raise ValidationError(gettext("Only “one of” and “several of” have options."))
        if len(filled) > MOST_OPTIONS:
            raise ValidationError(gettext("An attribute has at most %d options.") % MOST_OPTIONS)


class OptionInline(admin.TabularInline):
    model = AttributeOption
    formset = OptionFormSet
    fields = ("name", "description", "examples", "position", "retired")
    # Retiring and merging have rules that only the actions enforce.
    readonly_fields = ("retired",)
    extra = 3
    can_delete = False
    show_change_link = True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "examples":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 2, "cols": 40})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class PatternTestForm(forms.Form):
    pattern = forms.CharField(label=_("Pattern"), max_length=patterns.LONGEST_PATTERN)
    text = forms.CharField(label=_("Text"), max_length=20_000, widget=forms.Textarea(attrs={"rows": 8, "cols": 80}))

    def clean_pattern(self) -> str:
        pattern: str = self.cleaned_data["pattern"]
        try:
            patterns.check(pattern)
        except patterns.InvalidPattern as invalid:
            raise ValidationError(gettext("Not a pattern: %s.") % invalid) from None
        return pattern


@admin.register(Attribute)
class AttributeAdmin(HistoryAdmin):
    """Attributes are retired, never deleted; their key and kind never change."""

    list_display = ("name", "key", "kind", "position", "retired")
    search_fields = ("name", "key", "description")
    list_filter = ("kind", "retired")
    filter_horizontal = ("categories",)
    inlines = (OptionInline,)
    actions = ("retire", "restore")
    fields = (
        *("key", "name", "description", "kind", "is_scale", "pattern", "test_pattern"),
        *("examples", "counterexamples", "categories", "required", "position", "retired"),
    )
    form = EditForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("test_pattern", "retired", *(("key", "kind") if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("test"))
    def test_pattern(self, attribute: Attribute) -> str:
        url = reverse("admin:classifier_attribute_test", query={"pattern": attribute.pattern})
        return format_html('<a href="{}" target="_blank">{}</a>', url, gettext("Test a pattern on a text"))

    def get_urls(self) -> list[URLPattern]:
        test = path("test/", self.admin_site.admin_view(self.test_view), name="classifier_attribute_test")
        return [test, *super().get_urls()]

    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Shows what a pattern matches in a text; stores nothing."""
        form = PatternTestForm(request.POST or None, initial={"pattern": request.GET.get("pattern", "")})
        context = self.admin_site.each_context(request) | {
            "title": gettext("Test a pattern"),
            "opts": self.model._meta,
            "form": form,
        }
        if form.is_valid():
            text = form.cleaned_data["text"]
            found = [list(span) for span in patterns.spans(form.cleaned_data["pattern"], text)]
            context |= {"text": text, "spans": found}
        return TemplateResponse(request, "admin/classifier/attribute/test.html", context)

    @admin.action(description=_("Retire"), permissions=["change"])
    def retire(self, request: HttpRequest, attributes: QuerySet[Attribute]) -> None:
        self._set_retired(request, attributes, gettext("%s is retired."), retired=True)

    @admin.action(description=_("Restore"), permissions=["change"])
    def restore(self, request: HttpRequest, attributes: QuerySet[Attribute]) -> None:
        self._set_retired(request, attributes, gettext("%s is active again."), retired=False)

    def _set_retired(self, request: HttpRequest, attributes: QuerySet[Attribute], done: str, *, retired: bool) -> None:
        for attribute in attributes:
            if attribute_changes.set_retired(attribute, retired=retired):
                self.message_user(request, done % attribute, messages.SUCCESS)


@admin.register(AttributeOption)
class AttributeOptionAdmin(LabelAdmin):
    """Options are added on their attribute's page."""

    list_display = ("name", "attribute", "description", "position", "retired", "merged_into")
    list_select_related = ("attribute", "merged_into")
    fields = ("attribute", "name", "description", "examples", "position", "retired", "merged_into")

    def get_list_filter(self, request: HttpRequest) -> tuple[str, ...]:
        return ("attribute", "retired")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("attribute", "retired", "merged_into")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
