from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from ticketclf_site.operations.database_copy import CopyError, copy_from_sqlite
from ticketclf_site.processes.singleton_lock import singleton_lock


class Command(BaseCommand):
    help = (
        "Copy a SQLite database into the empty PostgreSQL database of DATABASE_URL. Stop the web app and the workers"
        " first. If it is interrupted, run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            with singleton_lock():
                for line in copy_from_sqlite(file):
                    self.stdout.write(line)
        except (CopyError, DatabaseError) as error:
            raise CommandError(f"{error}".strip()) from error
        call_command("setup", stdout=self.stdout)
        self.stdout.write("Everything is copied and counted. Start the web app and the workers.")
