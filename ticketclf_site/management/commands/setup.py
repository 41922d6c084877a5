from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from classifier.taxonomy import initial_data
from review.benchmark import runs
from review.models import ReviewSettings
from review.workflow import assigning
from ticketclf_site.processes.singleton_lock import singleton_lock


class Command(BaseCommand):
    help = "Migrate the database and load the initial data. Run it after every update."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with singleton_lock():
                self._set_up()
        except (DatabaseError, OSError) as error:
            raise CommandError(f"The database cannot be set up: {error}".strip()) from error

    def _set_up(self) -> None:
        call_command("migrate", verbosity=0)
        initial_data.load()
        runs.load_built_in()
        ReviewSettings.current()
        assigning.open_missing()
