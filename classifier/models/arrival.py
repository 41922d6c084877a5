"""The order in which tickets came to the gate, and which of them are alike."""

from django.db import models

from classifier.models.ticket import Ticket


class Arrival(models.Model):
    """A ticket that came to the gate while incidents were guarded against; the sweep deletes what no cluster needs."""

    ticket = models.OneToOneField(Ticket, models.CASCADE, related_name="arrival")
    first = models.ForeignKey(
        Ticket, models.RESTRICT, related_name="+", help_text="The first of the alike tickets that came together."
    )
    digest = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of its text, by which its embedding is stored; empty once erased."
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.ticket_id} -> {self.first_id}"
