"""Imports of files of labels."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.file_import import FileImport, FilePart


class LabelImport(FileImport):
    """A file of labels."""

    labels = models.JSONField(default=dict, help_text="By a name in the file, the label chosen for it.")
    page = "review:label_import"

    class Meta(FileImport.Meta):
        verbose_name = _("import of labels")
        verbose_name_plural = _("imports of labels")


class LabelImportPart(FilePart):
    """A piece of a file of labels."""

    label_import = models.ForeignKey(LabelImport, models.CASCADE, related_name="parts", db_index=False)

    class Meta:
        ordering = ["label_import", "position"]
        constraints = [models.UniqueConstraint(fields=["label_import", "position"], name="label_import_part_once")]

    def __str__(self) -> str:
        return f"{self.label_import_id}: {self.position}"
