from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ticketclf_site.operations import backup


class Command(BaseCommand):
    help = "Restore the database from a file written by `backup`. Stop the web app and the workers first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="overwrite a database that is not empty")

    def handle(self, *args: Any, file: Path, replace: bool, **options: Any) -> None:
        try:
            backup.restore(file, replace=replace)
        except (backup.BackupError, OSError) as error:
            raise CommandError(f"Nothing was changed: {error}") from error
        if unknown := backup.unknown_migrations():
            raise CommandError(
                f"The database is restored, but a newer version of ticketclf wrote the backup: {', '.join(unknown)}."
                " Install that version, or restore another backup."
            )
        call_command("setup", stdout=self.stdout)
        self.stdout.write("The database is restored and up to date.")
