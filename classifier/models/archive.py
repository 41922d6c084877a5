"""Files that hold tickets which were moved out of the database."""

from __future__ import annotations

from django.db import models


class ArchiveQuerySet(models.QuerySet["Archive"]):
    def around(self, ticket_pk: int) -> ArchiveQuerySet:
        """Files in which this ticket may be."""
        return self.filter(first__lte=ticket_pk, last__gte=ticket_pk).order_by("last")


class Archive(models.Model):
    """A file of archived tickets. The row is written in the transaction that removes them, so that a file without one
    does not count.
    """

    name = models.CharField(max_length=120, unique=True, help_text="Its path in the folder of archives.")
    sha256 = models.CharField(max_length=64)
    tickets = models.PositiveIntegerField()
    first = models.BigIntegerField(help_text="The lowest key of its tickets.")
    last = models.BigIntegerField(help_text="The highest.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ArchiveQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["last"], name="archive_last")]
        constraints = [
            models.CheckConstraint(condition=models.Q(last__gte=models.F("first")), name="archive_from_first_to_last"),
        ]

    def __str__(self) -> str:
        return self.name
