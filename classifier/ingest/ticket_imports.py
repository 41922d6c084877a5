"""Imports of uploaded files of tickets in the background."""

from collections.abc import Mapping
from typing import IO, Any, BinaryIO, cast

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile

from classifier.ingest import uploads
from classifier.ingest.file_import import ImportCounts, RecordImport, Rejected
from classifier.ingest.readers.formats import sniff_format
from classifier.ingest.readers.ticket_records import TicketReader
from classifier.models.file_import import TicketImport

MOST_LISTED = 100
"""Rejected records that are listed; the rest are only counted."""
_HEAD = 4096


def store(file: UploadedFile[bytes], by: User, source: str) -> TicketImport:
    """Store an uploaded file for a dry run. Raises UnreadableFile if it holds no records that can be read."""
    ticket_import = TicketImport(created_by=by, source=source)
    uploads.store(ticket_import, file, _reader(file, file.name or "").sample())
    return ticket_import


def run(pk: int) -> None:
    """Read the file and store its tickets, unless this is a dry run."""
    uploads.run(TicketImport.objects.filter(pk=pk), _import, [])


def _import(ticket_import: TicketImport, file: IO[bytes]) -> dict[str, Any]:
    name, encoding = ticket_import.name, ticket_import.encoding
    columns = uploads.take_sample(ticket_import, _reader(file, name, {}, encoding), file)
    reader = _reader(file, name, columns, encoding)
    rejections: list[Rejected] = []
    report: dict[str, Any] = {}

    def reject(rejected: Rejected) -> None:
        if len(rejections) < MOST_LISTED:
            rejections.append(rejected)

    record_import = RecordImport(
        ticket_import.source,
        reject,
        update=ticket_import.update_texts,
        dry_run=ticket_import.dry_run,
        id_prefix=f"import-{ticket_import.pk}-",
    )
    for counts in record_import.run(reader):
        report = _report(counts, rejections)
        uploads.report_progress(ticket_import, file, reader, report)
    return report or _report(ImportCounts(), [])


def _report(counts: ImportCounts, rejections: list[Rejected]) -> dict[str, Any]:
    return counts.as_json() | {"rejections": [[rejected.number, rejected.reason] for rejected in rejections]}


def _reader(file: Any, name: str, columns: Mapping[str, str] = {}, encoding: str = "") -> TicketReader:
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    return TicketReader(
        cast(BinaryIO, file), format=sniff_format(name, head), mapping=columns, encoding=encoding or None
    )
