"""Imports of labels in the background."""

from collections.abc import Iterable
from typing import IO, Any, BinaryIO, cast

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from classifier.ingest import uploads
from classifier.models import Draft
from classifier.taxonomy import importing as taxonomy_import
from classifier.taxonomy.files.entries import EntryList
from review.datasets import importing
from review.datasets.importing import ImportReport, UnknownLabel
from review.datasets.reading import RecordReader
from review.models import LabelImport


def store(file: UploadedFile[bytes], by: User) -> LabelImport:
    """Store an uploaded file for a dry run. Raises UnreadableDataset if it holds no records that can be read."""
    label_import = LabelImport(created_by=by)
    uploads.store(label_import, file, RecordReader(cast(BinaryIO, file), file.name or "").sample())
    return label_import


def draft_unknown_labels(label_import: LabelImport, by: User) -> tuple[Draft | None, list[str]]:
    """Create a draft of the taxonomy with the labels of the file that it lacks, unless it has them by now.

    Returns the problems of those that can't be labels, too. Raises EmptyTaxonomy.
    """
    unknown = [(axis, name) for axis, name, _number in label_import.report.get("unknown", ())]
    return draft_labels(unknown, label_import.name, by)


def draft_labels(labels: Iterable[tuple[str, str]], file: str, by: User | None) -> tuple[Draft | None, list[str]]:
    """The same for labels given by axis and name."""
    entries = EntryList()
    for axis, name in labels:
        entries.add(f"“{name[:100]}”", {"axis": axis, "name": name})
    return taxonomy_import.create_draft(entries.usable, _("Labels of %s") % file, by), entries.problems


def run(pk: int) -> None:
    """Read the file and import its labels, unless this is a dry run."""
    uploads.run(LabelImport.objects.filter(pk=pk), _import, [UnknownLabel])


def _import(label_import: LabelImport, file: IO[bytes]) -> dict[str, Any]:
    stream, encoding = cast(BinaryIO, file), label_import.encoding or None
    columns = uploads.take_sample(label_import, RecordReader(stream, label_import.name, {}, encoding), file)
    records = RecordReader(stream, label_import.name, columns, encoding)

    def on_chunk(report: ImportReport) -> None:
        uploads.report_progress(label_import, file, records, report.as_json())

    report = importing.import_labels(
        records, dry_run=label_import.dry_run, labels=label_import.labels, on_chunk=on_chunk
    )
    return report.as_json()
