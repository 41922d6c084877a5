"""Forms of the datasets pages: create a snapshot, export it, import labels."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, Sentiment
from classifier.web.upload_forms import FileField, FileReadingForm
from review.datasets.exporting import MissingPackage, check_available
from review.datasets.formats.registry import FORMATS
from review.datasets.parsing import usual_columns
from review.datasets.record import Record
from review.models import GoldLabel, LabelImport, Side

_FIELD_NAMES = {
    "text": _("text"),
    "category": _("category"),
    "sentiment": _("sentiment"),
    "side": _("side"),
    "origin": _("origin"),
    "corrected": _("corrected"),
    "people": _("people"),
    "share": _("probability of being chosen"),
    "language": _("language"),
    "source": _("source"),
    "labelled_at": _("labelled at"),
    "model_category": _("model's category"),
    "model_sentiment": _("model's sentiment"),
    "model_confidence": _("model's confidence"),
    "further_categories": _("further categories"),
}
COLUMN_FIELDS = [name for name in Record._fields if name not in ("key", "attributes")]


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
    file = FileField(
        help_text=_(
            "An export from here or from Label Studio, or any table or JSON lines. First you see what is read."
        ),
    )


class ReadingForm(FileReadingForm):
    """How an uploaded file is read: the column of each field, and the label that each unknown name means."""

    def __init__(self, label_import: LabelImport, data: Mapping[str, Any] | None = None) -> None:
        usual = usual_columns(label_import.names)
        super().__init__(label_import, {field: _FIELD_NAMES[field] for field in COLUMN_FIELDS}, usual, data)
        self._names = list(
            label_import.labels | {name: "" for _axis, name, _number in label_import.report.get("unknown", ())}
        )
        known = [*Category.objects.active().paths().values(), *map(str, Sentiment.objects.active())]
        labels = [("", _("leave out")), *((name, name) for name in known)]
        for number, name in enumerate(self._names):
            self.fields[f"label-{number}"] = forms.ChoiceField(
                label=name, choices=labels, required=False, initial=label_import.labels.get(name, "")
            )

    @property
    def chosen(self) -> dict[str, Any]:
        labels = {name: self.cleaned_data[f"label-{number}"] for number, name in enumerate(self._names)}
        return super().chosen | {"labels": {name: label for name, label in labels.items() if label}}
