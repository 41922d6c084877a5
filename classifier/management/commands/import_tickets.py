import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from tqdm import tqdm

from classifier.ingest.file_import import ImportCounts, RecordImport, Rejected
from classifier.ingest.readers.columns import COLUMNS
from classifier.ingest.readers.formats import Format, sniff_format
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.ingest.readers.ticket_records import RejectedRecord, TicketReader, TicketRecord
from classifier.management.notices import warn_of_fallback_model
from classifier.text import excerpt


class Command(BaseCommand):
    help = (
        "Import tickets from CSV, JSON or a spreadsheet. Each is stored once per source and external ID, so "
        "repeats are safe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", default="import", help="where the tickets come from (default: import)")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"fields: {', '.join(COLUMNS)}; nothing after = leaves the field out",
        )
        parser.add_argument("--format", choices=list(map(str, Format)), help="detected by default")
        parser.add_argument("--encoding", help="detected by default")
        parser.add_argument("--delimiter", help="of a CSV file; detected by default")
        parser.add_argument("--rejects", type=Path, help="file for rejected rows (default: FILE.rejected.jsonl)")
        parser.add_argument(
            "--update", action="store_true", help="take the new text of tickets that exist and wait for classification"
        )
        parser.add_argument("--dry-run", action="store_true", help="only show how the file is read")

    def handle(self, *args: Any, file: Path, source: str, rejects: Path | None, **options: Any) -> None:
        warn_of_fallback_model(self)
        rejects = rejects or file.with_name(f"{file.name}.rejected.jsonl")
        counts, mapping = ImportCounts(), _mapping(options["map"])
        try:
            with ExitStack() as stack:
                stream = stack.enter_context(file.open("rb"))
                records = self._announced(_reader(stream, file, mapping, options))
                if options["dry_run"]:
                    self._preview(records)
                    return
                aside = stack.enter_context(_RejectsFile(rejects))
                bar = stack.enter_context(tqdm(total=file.stat().st_size, unit="B", unit_scale=True, disable=None))
                record_import = RecordImport(source, aside.add, required=mapping, update=options["update"])
                for counts in record_import.run(records):
                    bar.update(stream.tell() - bar.n)
                    bar.set_postfix(stored=counts.stored, rejected=counts.rejected)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except UnreadableFile as error:
            raise CommandError(f"{file}: {error}") from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {counts.stored} tickets are stored; run this again for the rest.") from None
        except DatabaseError as error:
            raise CommandError(
                f"Can't write to the database ({error}). {counts.stored} stored; fix that, then run this again."
            ) from error
        self._report(counts, rejects)

    def _announced(self, reader: TicketReader) -> Iterator[TicketRecord | RejectedRecord]:
        """The records; before the first one says which columns and which encoding they are read with."""
        for number, record in enumerate(reader):
            if not number:
                fields = ", ".join(f"{field} from {column!r}" for field, column in reader.columns.items())
                encoding = f" Encoding: {reader.encoding} (--encoding takes another)." if reader.encoding else ""
                self.stdout.write(f"Reading {fields or 'a text from each line'}.{encoding}")
            yield record

    def _preview(self, records: Iterator[TicketRecord | RejectedRecord]) -> None:
        rejected = tickets = 0
        for record in records:
            if isinstance(record, RejectedRecord):
                rejected += 1
                continue
            tickets += 1
            if tickets <= 3:
                values = (f"{name}: {excerpt(value, 60)}" for name, value in record.values.items() if value)
                self.stdout.write("  " + "; ".join(values))
        self.stdout.write(f"{tickets} tickets, {rejected} records that would be rejected. Nothing is stored.")

    def _report(self, counts: ImportCounts, rejects: Path) -> None:
        updated = f"{counts.updated} updated, " if counts.updated else ""
        self.stdout.write(
            f"{counts.stored} stored, {updated}{counts.existing} already stored, {counts.rejected} rejected"
        )
        if counts.undated:
            self.stdout.write(self.style.WARNING(f"{counts.undated} dates could not be read and are left out."))
        if counts.rejected:
            self.stdout.write(self.style.WARNING(f"The rejected rows are in {rejects}, each with its reason."))


class _RejectsFile:
    """A file of rejected records, one JSON object per line; created at the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> "_RejectsFile":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file:
            self._file.close()

    def add(self, rejected: Rejected) -> None:
        self._file = self._file or self._path.open("w", encoding="utf-8", errors="replace")
        number, reason, raw = rejected
        self._file.write(json.dumps({"record": number, "reason": reason, "raw": raw}, ensure_ascii=False) + "\n")


def _reader(stream: BinaryIO, file: Path, mapping: dict[str, str], options: dict[str, Any]) -> TicketReader:
    head = stream.read(4096)
    stream.seek(0)
    return TicketReader(
        stream,
        format=Format(options["format"] or sniff_format(file.name, head)),
        mapping=mapping,
        encoding=options["encoding"],
        delimiter=options["delimiter"],
    )


def _mapping(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise CommandError(f"--map {pair!r} is not of the form FIELD=COLUMN.")
    return dict(pair.split("=", 1) for pair in pairs)
