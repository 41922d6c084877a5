"""Imports of labels in the background: a dry run first, then the same file for good."""

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from typing import IO, BinaryIO, cast

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.leases import leases
from classifier.models import Draft
from classifier.taxonomy import importing as taxonomy_import
from classifier.taxonomy.files.entries import EntryList
from review.datasets import importing
from review.datasets.importing import ImportReport, UnknownLabel
from review.datasets.reading import RecordReader, UnreadableDataset
from review.models import LabelImport
from review.models.label_import import LabelImportPart

PART = 1024**2
"""Bytes stored at a time."""
KEPT = timedelta(days=1)

State = LabelImport.State


class _TakenOver(Exception):
    """Another worker holds the import now."""


def store(file: UploadedFile[bytes], by: User) -> LabelImport:
    """Store an uploaded file for a dry run. Raises UnreadableDataset if it holds no records that can be read."""
    names = RecordReader(cast(BinaryIO, file), file.name or "").sample().names
    file.seek(0)
    # It counts as failed until it is complete.
    label_import = LabelImport.objects.create(
        name=(file.name or "")[-200:], size=file.size or 0, names=names, created_by=by, state=State.FAILED
    )
    for position, content in enumerate(file.chunks(PART)):
        LabelImportPart.objects.create(label_import=label_import, position=position, content=content)
    LabelImport.objects.filter(pk=label_import.pk).update(state=State.RUNNING)
    return label_import


@transaction.atomic(durable=True)
def run_again(
    label_import: LabelImport, *, columns: Mapping[str, str], labels: Mapping[str, str], dry_run: bool
) -> bool:
    """Have the file read in another way, or imported. Returns False while it is being read, or once it is imported."""
    idle = LabelImport.objects.filter(pk=label_import.pk, parts__position=0).exclude(state=State.RUNNING)
    chosen = {"columns": dict(columns), "labels": dict(labels), "dry_run": dry_run}
    again = LabelImport.objects.filter(pk__in=idle.values("pk"))
    return bool(again.update(**chosen, state=State.RUNNING, read=0, report={}, error=""))


def draft_unknown_labels(label_import: LabelImport, by: User) -> tuple[Draft | None, list[str]]:
    """Create a draft of the taxonomy with the labels of the file that it lacks, unless it has them by now.

    Returns the problems of those that can't be labels, too. Raises EmptyTaxonomy.
    """
    entries = EntryList()
    for axis, name, _number in label_import.report.get("unknown", ()):
        entries.add(f"“{name[:100]}”", {"axis": axis, "name": name})
    draft = taxonomy_import.create_draft(entries.usable, _("Labels of %s") % label_import.name, by)
    return draft, entries.problems


def run(pk: int) -> None:
    """Read the file and import its labels, unless this is a dry run. One that was interrupted begins again."""
    with leases.hold(LabelImport.objects.waiting().filter(pk=pk)) as held:
        for label_import in held:
            try:
                report = _import(label_import)
            except _TakenOver:
                continue
            except (UnreadableDataset, UnknownLabel) as error:
                label_import.still_held.update(state=State.FAILED, error=str(error))
                continue
            except Exception as error:
                label_import.still_held.update(state=State.FAILED, error=str(error))
                raise
            label_import.still_held.update(state=State.FINISHED, report=report.as_json(), read=label_import.size)
            if not label_import.dry_run:
                _delete_parts(label_import)


def delete_abandoned() -> None:
    """Delete uploaded files that nobody has imported for a day."""
    idle = LabelImport.objects.exclude(state=State.RUNNING).filter(created_at__lt=timezone.now() - KEPT)
    for label_import in idle.filter(parts__isnull=False).distinct()[:10]:
        _delete_parts(label_import)


def _import(label_import: LabelImport) -> ImportReport:
    with tempfile.TemporaryFile() as file:
        for content in label_import.parts.order_by("position").values_list("content", flat=True).iterator(1):
            file.write(content)
        file.seek(0)
        records = RecordReader(file, label_import.name, label_import.columns)

        def on_chunk(report: ImportReport) -> None:
            if not label_import.still_held.update(read=_position(file), report=report.as_json()):
                raise _TakenOver

        return importing.import_labels(
            records, dry_run=label_import.dry_run, labels=label_import.labels, on_chunk=on_chunk
        )


def _position(file: IO[bytes]) -> int:
    return 0 if file.closed else file.tell()


def _delete_parts(label_import: LabelImport) -> None:
    """Delete the file, a part at a time, since others wait for a long transaction."""
    for pk in list(label_import.parts.values_list("pk", flat=True)):
        LabelImportPart.objects.filter(pk=pk).delete()
