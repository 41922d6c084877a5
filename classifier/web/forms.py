from typing import Any

from django import forms
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from classifier.ingest import storing
from classifier.models import Ticket


class TicketForm(forms.ModelForm[Ticket]):
    """A ticket entered by hand."""

    class Meta:
        model = Ticket
        fields = ("text", "customer", "channel", "language", "external_id", "due_at")
        widgets = {
            "text": forms.Textarea(attrs={"rows": 8, "dir": "auto", "autofocus": True}),
            "due_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        }

    marks_optional = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["due_at"].help_text = timezone.get_current_timezone_name()

    def clean_text(self) -> str:
        # Browsers send line breaks as CRLF.
        return storing.validated_text(self.cleaned_data["text"].replace("\r\n", "\n"))

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        self.refuse_duplicate()
        return values

    def refuse_duplicate(self) -> bool:
        """Add an error linking to the existing ticket with this external ID. Returns whether there is one."""
        external_id = self.cleaned_data.get("external_id")
        duplicate = external_id and Ticket.objects.filter(source=self.instance.source, external_id=external_id).first()
        if not duplicate:
            return False
        message, link = _("A ticket with this external ID already exists."), _("Open it")
        self.add_error(
            "external_id", format_html('{} <a href="{}">{}</a>', message, duplicate.get_absolute_url(), link)
        )
        return True
