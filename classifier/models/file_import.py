"""Imports of files: an uploaded file, how to read it, and what came of it."""

from typing import Any, ClassVar, Self

from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from classifier.models.lease import Leasable, LeasableQuerySet, LeasableT


class FileImportQuerySet(LeasableQuerySet[LeasableT]):
    def waiting(self) -> Self:
        """Running, and not held by a live worker."""
        return self.filter(state=FileImport.State.RUNNING).free()


class FileImport(Leasable):
    """A file that a worker imports, after a dry run. The file itself is in `parts`."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        FAILED = "failed", _("failed")

    name = models.CharField(_("file"), max_length=200)
    size = models.BigIntegerField(help_text="Bytes of the file.")
    read = models.BigIntegerField(default=0, help_text="Bytes read so far.")
    names = models.JSONField(default=list, help_text="The names of the file's columns.")
    rows = models.JSONField(default=list, db_default=[], help_text="The first rows, a cell for each column.")
    encoding = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text="The encoding chosen; empty to detect it."
    )
    decoded_as = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text="The encoding used; empty for binary files."
    )
    columns = models.JSONField(default=dict, help_text="By field of a record, the column chosen for it.")
    dry_run = models.BooleanField(_("dry run"), default=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    report: Any = models.JSONField(default=dict)
    error = models.TextField(_("error"), blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("started"), auto_now_add=True)

    objects: models.Manager[Any] = FileImportQuerySet.as_manager()
    parts: Any
    page: ClassVar[str]
    """The URL name of an import's page."""

    class Meta:
        abstract = True
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse(self.page, args=[self.pk])

    @property
    def percent(self) -> int:
        return 100 * self.read // max(self.size, 1)

    def delete_file(self) -> None:
        """Delete the file and its sample, a part at a time, since others wait for a long transaction."""
        type(self).objects.filter(pk=self.pk).update(rows=[])
        for pk in list(self.parts.values_list("pk", flat=True)):
            self.parts.filter(pk=pk).delete()


class FilePart(models.Model):
    """A piece of an uploaded file; kept in the database, since the worker may run elsewhere, until it is imported."""

    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        abstract = True


class TicketImport(FileImport):
    """A file of tickets."""

    source = models.CharField(_("source"), max_length=50, default="import")
    update_texts = models.BooleanField(_("update texts"), default=False)
    page = "classifier:ticket_import"

    class Meta(FileImport.Meta):
        verbose_name = _("import of tickets")
        verbose_name_plural = _("imports of tickets")


class TicketImportPart(FilePart):
    """A piece of a file of tickets."""

    ticket_import = models.ForeignKey(TicketImport, models.CASCADE, related_name="parts", db_index=False)

    class Meta:
        ordering = ["ticket_import", "position"]
        constraints = [models.UniqueConstraint(fields=["ticket_import", "position"], name="ticket_import_part_once")]

    def __str__(self) -> str:
        return f"{self.ticket_import_id}: {self.position}"
