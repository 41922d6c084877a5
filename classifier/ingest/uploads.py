"""Uploaded files that are imported in the background: a dry run first, then the same file for good."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any, Protocol, TypeVar

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from classifier.ingest.readers.sample import Sample
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.leases import leases
from classifier.models.file_import import FileImport, FileImportQuerySet

PART = 1024**2
"""Bytes stored at a time."""
MAX_BYTES = 200 * 1024**2
"""Larger files must be imported with a command."""
KEPT = timedelta(days=1)

State = FileImport.State
_T = TypeVar("_T", bound=FileImport)


class TakenOver(Exception):
    """Another worker holds the import now."""


class Reader(Protocol):
    """What reads an uploaded file."""

    @property
    def encoding(self) -> str: ...

    def sample(self) -> Sample: ...


def store(file_import: FileImport, file: UploadedFile[bytes], sample: Sample) -> None:
    """Store an import with its file, to be read in a dry run. It counts as failed until it is complete."""
    file_import.name, file_import.size, file_import.state = (file.name or "")[-200:], file.size or 0, State.FAILED
    file_import.names, file_import.rows, file_import.decoded_as = sample
    file_import.save()
    file.seek(0)
    for position, content in enumerate(file.chunks(PART)):
        file_import.parts.create(position=position, content=content)
    _rows(file_import).update(state=State.RUNNING)


@transaction.atomic(durable=True)
def run_again(file_import: FileImport, *, dry_run: bool, **chosen: Any) -> bool:
    """Have the file read in another way, or imported. Returns False while it is being read, or once it is imported."""
    idle = _rows(file_import).filter(parts__position=0).exclude(state=State.RUNNING)
    again = _rows(file_import).filter(pk__in=idle.values("pk"))
    return bool(again.update(**chosen, dry_run=dry_run, state=State.RUNNING, read=0, report={}, error=""))


def run(
    imports: FileImportQuerySet[_T], import_file: Callable[[_T, IO[bytes]], Mapping[str, Any]], faults: Sequence[Any]
) -> None:
    """Have a waiting import read by `import_file`, which returns its report; `faults` are those that people can mend.

    One that was interrupted begins again.
    """
    with leases.hold(imports.waiting()) as held:
        for file_import in held:
            try:
                with _opened(file_import) as file:
                    report = import_file(file_import, file)
            except TakenOver:
                continue
            except Exception as error:
                file_import.still_held.update(state=State.FAILED, error=str(error))
                if not isinstance(error, (UnreadableFile, *faults)):
                    raise
                continue
            file_import.still_held.update(state=State.FINISHED, report=report, read=file_import.size)
            if not file_import.dry_run:
                file_import.delete_file()


def take_sample(file_import: FileImport, reader: Reader, file: IO[bytes]) -> dict[str, str]:
    """Take a new sample, which another encoding changes. Returns the columns by the names that they have now."""
    sample = reader.sample()
    file.seek(0)
    renamed = dict(zip(file_import.names, sample.names, strict=False))
    columns = {field: renamed.get(name, name) for field, name in file_import.columns.items()}
    values = {"names": sample.names, "rows": sample.rows, "decoded_as": sample.encoding, "columns": columns}
    if not file_import.still_held.update(**values):
        raise TakenOver
    return columns


def report_progress(file_import: FileImport, file: IO[bytes], reader: Reader, report: Mapping[str, Any]) -> None:
    """Store how far the file has been read. Raises TakenOver."""
    position = 0 if file.closed else file.tell()
    if not file_import.still_held.update(read=position, report=report, decoded_as=reader.encoding):
        raise TakenOver


def delete_abandoned(imports: FileImportQuerySet[_T]) -> None:
    """Delete uploaded files that nobody has imported for a day."""
    idle = imports.exclude(state=State.RUNNING).filter(created_at__lt=timezone.now() - KEPT)
    for file_import in idle.filter(parts__isnull=False).distinct()[:10]:
        file_import.delete_file()


@contextmanager
def _opened(file_import: FileImport) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        for content in file_import.parts.order_by("position").values_list("content", flat=True).iterator(1):
            file.write(content)
        file.seek(0)
        yield file


def _rows(file_import: FileImport) -> FileImportQuerySet[Any]:
    return FileImportQuerySet(type(file_import)).filter(pk=file_import.pk)
