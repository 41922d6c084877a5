from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from classifier.taxonomy.files import writing


class Command(BaseCommand):
    help = "Print the active categories and sentiments, in a form that import_taxonomy reads."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=writing.FORMATS, default="yaml")

    def handle(self, *args: Any, format: str, **options: Any) -> None:
        self.stdout.write(writing.export(format), ending="")
