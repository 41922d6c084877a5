from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from tqdm import tqdm

from classifier.ingest.file_import import ImportCounts, import_records
from classifier.ingest.readers import ticket_records
from classifier.management.notices import warn_of_fallback_model


class Command(BaseCommand):
    help = "Import tickets from CSV or JSON lines. Each is stored once per source and external ID, so repeats are safe."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", default="import", help="where the tickets come from (default: import)")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"fields: {', '.join(ticket_records.COLUMNS)}",
        )
        parser.add_argument(
            "--format", choices=[str(format) for format in ticket_records.Format], help="detected by default"
        )
        parser.add_argument("--encoding", help="detected by default")
        parser.add_argument("--delimiter", help="of a CSV file; detected by default")
        parser.add_argument("--rejects", type=Path, help="file for rejected rows (default: FILE.rejected.jsonl)")

    def handle(self, *args: Any, file: Path, source: str, rejects: Path | None, **options: Any) -> None:
        warn_of_fallback_model(self)
        rejects = rejects or file.with_name(f"{file.name}.rejected.jsonl")
        counts = ImportCounts()
        try:
            with ExitStack() as stack:
                stream = stack.enter_context(file.open("rb"))
                aside = stack.enter_context(_LazyFile(rejects))
                bar = stack.enter_context(tqdm(total=file.stat().st_size, unit="B", unit_scale=True, disable=None))
                for counts in import_records(source, self._records(stream, file, options), aside):
                    bar.update(stream.tell() - bar.n)
                    bar.set_postfix(stored=counts.stored, rejected=counts.rejected)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except ticket_records.UnreadableFile as error:
            raise CommandError(f"{file}: {error}") from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {counts.stored} tickets are stored; run this again for the rest.") from None
        except DatabaseError as error:
            raise CommandError(
                f"Can't write to the database ({error}). {counts.stored} stored; fix that, then run this again."
            ) from error
        self._report(counts, rejects)

    def _records(
        self, stream: BinaryIO, file: Path, options: dict[str, Any]
    ) -> Iterator[ticket_records.TicketRecord | ticket_records.RejectedRecord]:
        head = stream.read(4096)
        stream.seek(0)
        return ticket_records.read_tickets(
            stream,
            format=ticket_records.Format(options["format"] or ticket_records.sniff_format(file.name, head)),
            mapping=_mapping(options["map"]),
            encoding=options["encoding"],
            delimiter=options["delimiter"],
        )

    def _report(self, counts: ImportCounts, rejects: Path) -> None:
        self.stdout.write(f"{counts.stored} stored, {counts.existing} already stored, {counts.rejected} rejected")
        if counts.rejected:
            self.stdout.write(self.style.WARNING(f"The rejected rows are in {rejects}, each with its reason."))


class _LazyFile:
    """A file that is created at the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> "_LazyFile":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file:
            self._file.close()

    def write(self, line: str) -> None:
        self._file = self._file or self._path.open("w", encoding="utf-8", errors="replace")
        self._file.write(line)


def _mapping(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise CommandError(f"--map {pair!r} is not of the form FIELD=COLUMN.")
    return dict(pair.split("=", 1) for pair in pairs)
