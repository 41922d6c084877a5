import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from classifier import archiving
from classifier.archive_files import NoArchive
from classifier.models import Archive


class Command(BaseCommand):
    help = "Move tickets that passed long ago out of the database, into files; find them there, or put them back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where the files are; the same one each time")
        wanted = parser.add_mutually_exclusive_group(required=True)
        wanted.add_argument("--older-than", type=int, metavar="DAYS", help="move what passed before so many days")
        wanted.add_argument("--find", type=int, metavar="ID", help="print what is kept of an archived ticket, as JSON")
        wanted.add_argument(
            "--restore", metavar="FILE", help="put the tickets of a file back, named as --find names it"
        )
        wanted.add_argument("--check", action="store_true", help="read every file and compare it with its checksum")

    def handle(
        self,
        *args: Any,
        folder: Path,
        older_than: int | None,
        find: int | None,
        restore: str | None,
        **options: Any,
    ) -> None:
        try:
            if older_than is not None:
                self._archive(folder, older_than)
            elif find is not None:
                self._find(folder, find)
            elif restore is not None:
                self._restore(folder, restore)
            else:
                self._check(folder)
        except NoArchive as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"Not all could be done: {error}. Nothing is lost; mend it, then run again.") from error

    def _archive(self, folder: Path, days: int) -> None:
        if days < 1:
            raise CommandError("--older-than takes a number of days, 1 or more.")
        with _alone(folder):
            done = archiving.archive(folder, before=timezone.now() - timedelta(days=days))
        self.stdout.write(f"{done.tickets:,} tickets moved into {len(done.files):,} files below {folder}.")
        for kind, number in done.kept.most_common():
            self.stdout.write(f"{number:,} stay: {kind} refer to them.")
        self.stdout.write("Tickets that wait or that people settled stay in any case.")

    def _find(self, folder: Path, ticket_pk: int) -> None:
        found = archiving.find(folder, ticket_pk)
        if found is None:
            raise CommandError(f"Ticket {ticket_pk} is not archived.")
        archive, record = found
        self.stdout.write(json.dumps({"file": archive.name} | record, ensure_ascii=False, indent=2))

    def _restore(self, folder: Path, name: str) -> None:
        archive = Archive.objects.filter(name=name).first()
        if archive is None:
            raise CommandError(
                f"{name} is no file of the archive; --find prints the name of the one that a ticket is in."
            )
        with _alone(folder):
            number = archiving.restore(folder, archive)
        self.stdout.write(f"{number:,} tickets are back in the database, and {name} is gone.")

    def _check(self, folder: Path) -> None:
        number = 0
        for archive in Archive.objects.iterator():
            archiving.checked(folder, archive)
            number += 1
        self.stdout.write(f"{number:,} files are as they were written.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Raises CommandError where another run is at work in the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Another run is at work in {folder}; wait for it to finish.") from None
        yield
