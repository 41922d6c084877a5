"""Imports of labels: an uploaded file, how to read it, and what came of it."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from classifier.models.lease import Leasable, LeasableQuerySet


class LabelImportQuerySet(LeasableQuerySet["LabelImport"]):
    def waiting(self) -> "LabelImportQuerySet":
        """Running, and not held by a live worker."""
        return self.filter(state=LabelImport.State.RUNNING).free()


class LabelImport(Leasable):
    """A file of labels that a worker imports, after a dry run."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        FAILED = "failed", _("failed")

    name = models.CharField(_("file"), max_length=200)
    size = models.BigIntegerField(help_text="Bytes of the file.")
    read = models.BigIntegerField(default=0, help_text="Bytes read so far.")
    names = models.JSONField(default=list, help_text="The names of the file's columns.")
    columns = models.JSONField(default=dict, help_text="By field of a record, the column chosen for it.")
    labels = models.JSONField(default=dict, help_text="By a name in the file, the label chosen for it.")
    dry_run = models.BooleanField(_("dry run"), default=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    report: Any = models.JSONField(default=dict)
    error = models.TextField(_("error"), blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("started"), auto_now_add=True)

    objects = LabelImportQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("import of labels")
        verbose_name_plural = _("imports of labels")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("review:label_import", args=[self.pk])

    @property
    def percent(self) -> int:
        return 100 * self.read // max(self.size, 1)


class LabelImportPart(models.Model):
    """A piece of an uploaded file; kept in the database, since the worker may run elsewhere, until it is imported."""

    label_import = models.ForeignKey(LabelImport, models.CASCADE, related_name="parts", db_index=False)
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["label_import", "position"]
        constraints = [models.UniqueConstraint(fields=["label_import", "position"], name="label_import_part_once")]

    def __str__(self) -> str:
        return f"{self.label_import_id}: {self.position}"
