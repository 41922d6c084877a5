"""Forms of the datasets pages: create a snapshot, export it, import labels."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, Sentiment
from review.datasets.exporting import MissingPackage, check_available
from review.datasets.formats.registry import FORMATS
from review.datasets.record import Record
from review.models import GoldLabel, Side

MAX_UPLOAD_BYTES = 200 * 1024 * 1024
"""Larger files must be imported with the command."""
_MAIN = ("text", "category", "sentiment")
OTHER_FIELDS = [name for name in Record._fields if name not in _MAIN]


class SnapshotForm(forms.Form):
    """Filters of a new snapshot; empty ones do not filter. Creating the form costs two queries."""

    side = forms.ChoiceField(label=_("side"), choices=[("", _("both")), *Side.choices], required=False)
    corrected = forms.BooleanField(label=_("only labels that corrected the model"), required=False)
    since = forms.DateField(
        label=_("labelled from"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("labelled until"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    category = forms.TypedMultipleChoiceField(label=_("category"), coerce=int, required=False)
    sentiment = forms.TypedMultipleChoiceField(label=_("sentiment"), coerce=int, required=False)
    origin = forms.MultipleChoiceField(label=_("origin"), choices=GoldLabel.Origin.choices, required=False)
    people = forms.IntegerField(label=_("minimum number of agreeing reviewers"), min_value=2, required=False)
    source = forms.CharField(
        label=_("source"), required=False, help_text=_("Of the ticket. Separate several with commas.")
    )
    language = forms.CharField(
        label=_("language"), required=False, help_text=_("Of the ticket. Separate several with commas.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["category"].choices = Category.objects.paths().items()
        fields["sentiment"].choices = Sentiment.objects.values_list("pk", "name")

    def clean_source(self) -> list[str]:
        return _split(self.cleaned_data["source"])

    def clean_language(self) -> list[str]:
        return _split(self.cleaned_data["language"])


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


class ExportForm(forms.Form):
    format = forms.ChoiceField(label=_("format"), choices=[(name, format.title) for name, format in FORMATS.items()])
    masked = forms.BooleanField(
        label=_("mask personal data"),
        required=False,
        help_text=_("E-mail addresses, telephone, card and account numbers, IP addresses."),
    )
    licence = forms.CharField(
        label=_("licence"), required=False, max_length=100, help_text=_("For the manifest, such as CC-BY-4.0.")
    )

    def clean_format(self) -> str:
        name: str = self.cleaned_data["format"]
        try:
            check_available(FORMATS[name])
        except MissingPackage as error:
            raise forms.ValidationError(str(error)) from error
        return name


class ImportForm(forms.Form):
    """A file to import, and its column names if they are not the usual ones."""

    file = forms.FileField(
        label=_("file"), help_text=_("An export from here or from Label Studio, or any CSV or JSON lines file.")
    )
    text = forms.CharField(label=_("text column"), required=False, max_length=100)
    category = forms.CharField(label=_("category column"), required=False, max_length=100)
    sentiment = forms.CharField(label=_("sentiment column"), required=False, max_length=100)
    columns = forms.CharField(
        label=_("other columns"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("One per line, as in language=Lang: %(fields)s.") % {"fields": ", ".join(OTHER_FIELDS)},
    )
    labels = forms.CharField(
        label=_("label mapping"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("One per line, as in Payments=Billing: the file's name, then the label's full name."),
    )
    dry_run = forms.BooleanField(
        label=_("dry run"), required=False, initial=True, help_text=_("Show the result without saving anything.")
    )

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_UPLOAD_BYTES:
            megabytes = MAX_UPLOAD_BYTES // 1024**2
            message = gettext("The file is larger than %d MB. Import it with manage.py import_dataset.")
            raise forms.ValidationError(message % megabytes)
        return file

    def clean_columns(self) -> dict[str, str]:
        return _parse_pairs(self.cleaned_data["columns"])

    def clean_labels(self) -> dict[str, str]:
        return _parse_pairs(self.cleaned_data["labels"])

    def mapping(self) -> dict[str, str]:
        columns = {name: self.cleaned_data[name].strip() for name in _MAIN}
        others: dict[str, str] = self.cleaned_data["columns"]
        return others | {name: column for name, column in columns.items() if column}


def _parse_pairs(text: str) -> dict[str, str]:
    """Parse one `left=right` pair per line. Raises ValidationError."""
    pairs: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        left, separator, right = (part.strip() for part in line.partition("="))
        if not (left and separator):
            raise forms.ValidationError(gettext("“%s” has no equals sign: write one pair per line.") % line)
        pairs[left] = right
    return pairs
