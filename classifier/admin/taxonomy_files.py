"""Imports and exports of the taxonomy in the admin: a file, pasted lines or a help desk's field becomes a draft."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.integrations.helpdesks import field_options
from classifier.models import DraftLabel, HelpDesk
from classifier.models.contract import EmptyTaxonomy
from classifier.taxonomy import importing
from classifier.taxonomy.files import reading, writing
from classifier.taxonomy.files.entries import LabelEntry, UnusableFile


class TaxonomyForm(forms.Form):
    """A taxonomy from one of three sources."""

    file = forms.FileField(label=_("File"), required=False, help_text=_("CSV, YAML, JSON or lines of text."))
    lines = forms.CharField(
        label=_("Or lines"),
        required=False,
        max_length=reading.LARGEST_FILE,
        widget=forms.Textarea(attrs={"rows": 8, "placeholder": "Billing > Refunds: money back"}),
        help_text=_("A label in each line, with its parents before it and a description after a colon."),
    )
    help_desk: forms.ModelChoiceField = forms.ModelChoiceField(
        HelpDesk.objects.exclude(base_url="").exclude(token_env=""), label=_("Or help desk"), required=False
    )
    field = forms.CharField(
        label=_("Its drop-down field"),
        required=False,
        max_length=100,
        help_text=_("The name that its API has for the field; for Zendesk, the number."),
    )
    axis = forms.ChoiceField(
        label=_("Lines and options are"),
        choices=[
            (DraftLabel.Axis.CATEGORY.value, _("categories")),
            (DraftLabel.Axis.SENTIMENT.value, _("sentiments")),
        ],
        required=False,
    )
    complete = forms.BooleanField(label=_("Retire the labels that are missing"), required=False)

    def __init__(self, *args: Any, help_desks: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not help_desks:
            del self.fields["help_desk"], self.fields["field"]

    entries: list[LabelEntry]
    name = ""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        sources = [name for name in ("file", "lines", "help_desk") if values.get(name)]
        if len(sources) != 1:
            raise forms.ValidationError(_("Choose a file, or paste lines, or choose a help desk."))
        try:
            self.entries = getattr(self, f"_read_{sources[0]}")(values)
        except UnusableFile as error:
            raise forms.ValidationError(list(error.problems)) from error
        except field_options.FieldUnavailable as error:
            raise forms.ValidationError(str(error)) from error
        return values

    def _read_file(self, values: dict[str, Any]) -> list[LabelEntry]:
        file: UploadedFile[bytes] = values["file"]
        self.name = file.name or ""
        return reading.read(file.read(reading.LARGEST_FILE + 1), self.name)

    def _read_lines(self, values: dict[str, Any]) -> list[LabelEntry]:
        self.name = gettext("Pasted lines")
        return reading.read_lines(values["lines"], values["axis"])

    def _read_help_desk(self, values: dict[str, Any]) -> list[LabelEntry]:
        self.name = f"{values['help_desk']}: {values['field']}"
        return reading.read_options(field_options.read(values["help_desk"], values["field"]), values["axis"])


class TaxonomyFiles(admin.ModelAdmin):
    """Pages to import and export the taxonomy, for the admin of drafts."""

    change_list_template = "admin/classifier/label_list.html"

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("import/", wrap(self.import_taxonomy), name="classifier_draft_import"),
            path("export/<str:format>/", wrap(self.export_taxonomy), name="classifier_draft_export"),
        ]
        return [*own, *super().get_urls()]

    def import_taxonomy(self, request: HttpRequest) -> HttpResponse:
        """Make a draft, whose page shows what publishing it would add, change, merge and retire."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        sent = (request.POST, request.FILES) if request.method == "POST" else ()
        form = TaxonomyForm(*sent, help_desks=request.user.has_perm("classifier.view_helpdesk"))
        if form.is_valid() and (response := self._draft(request, form)):
            return response
        context = self.admin_site.each_context(request) | {
            "title": gettext("Import a taxonomy"),
            "opts": self.opts,
            "form": form,
            "formats": list(writing.FORMATS),
        }
        return TemplateResponse(request, "admin/classifier/draft/import.html", context)

    def export_taxonomy(self, request: HttpRequest, format: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if format not in writing.FORMATS:
            raise Http404
        response = HttpResponse(writing.export(format), writing.FORMATS[format].media_type)
        response["Content-Disposition"] = f'attachment; filename="taxonomy.{format}"'
        return response

    def _draft(self, request: HttpRequest, form: TaxonomyForm) -> HttpResponse | None:
        user, complete = cast(User, request.user), form.cleaned_data["complete"]
        try:
            draft = importing.create_draft(form.entries, form.name, user, complete=complete)
        except (UnusableFile, EmptyTaxonomy) as error:
            form.add_error(None, str(error).splitlines())
            return None
        if draft:
            text = gettext("The draft has the changes below. Nothing changes until you publish it.")
            self.message_user(request, text)
            return HttpResponseRedirect(reverse("admin:classifier_draft_change", args=[draft.pk]))
        self.message_user(request, gettext("The taxonomy has all of this already."), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:classifier_draft_import"))
