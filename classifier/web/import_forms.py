"""Forms to import a file of tickets."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from classifier.ingest.readers.columns import COLUMNS, match_columns
from classifier.models.file_import import TicketImport
from classifier.web.upload_forms import FileField, FileReadingForm

_FIELD_NAMES = {
    "text": _("text"),
    "subject": _("subject"),
    "external_id": _("external id"),
    "customer": _("customer"),
    "channel": _("channel"),
    "language": _("language"),
    "received_at": _("received"),
    "due_at": _("due"),
}


class TicketUploadForm(forms.Form):
    file = FileField(
        help_text=_("A table, a spreadsheet or JSON, such as the export of a help desk. First you see what is read."),
    )
    source = forms.CharField(
        label=_("source"),
        max_length=50,
        initial="import",
        help_text=_("Where the tickets come from. Each is stored once per source and external ID."),
    )


class TicketReadingForm(FileReadingForm):
    """How an uploaded file of tickets is read."""

    update_texts = forms.BooleanField(
        label=_("update texts"),
        required=False,
        help_text=_("Tickets that are stored already and wait for classification take their new text."),
    )

    def __init__(self, ticket_import: TicketImport, data: Mapping[str, Any] | None = None) -> None:
        usual = match_columns(ticket_import.names, {}, {field: COLUMNS[field] for field in _FIELD_NAMES})
        super().__init__(ticket_import, _FIELD_NAMES, usual, data)
        self.initial["update_texts"] = ticket_import.update_texts
        self.order_fields(["encoding", *_FIELD_NAMES, "update_texts"])

    @property
    def chosen(self) -> dict[str, Any]:
        return super().chosen | {"update_texts": self.cleaned_data["update_texts"]}
