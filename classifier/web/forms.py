from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from classifier.ingest import storing
from classifier.models import Ticket


class TicketForm(forms.ModelForm[Ticket]):
    """A ticket typed in by hand."""

    class Meta:
        model = Ticket
        fields = ("text", "customer", "channel", "language", "external_id", "due_at")
        widgets = {
            "text": forms.Textarea(attrs={"rows": 8, "dir": "auto", "autofocus": True}),
            "due_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        }

    duplicate: Ticket | None = None
    """The ticket that has this external id already."""

    def clean_text(self) -> str:
        # Browsers send every line break of a text area as two characters.
        return storing.checked_text(self.cleaned_data["text"].replace("\r\n", "\n"))

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        self.refuse_duplicate()
        return values

    def refuse_duplicate(self) -> bool:
        """Add an error where the external id has a ticket already, and remember that one. Returns whether it has."""
        if external_id := self.cleaned_data.get("external_id"):
            self.duplicate = Ticket.objects.filter(source=self.instance.source, external_id=external_id).first()
            if self.duplicate:
                self.add_error("external_id", _("There is a ticket with this external id already."))
        return self.duplicate is not None
