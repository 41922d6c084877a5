import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.integrations.helpdesks import field_options
from classifier.models import HelpDesk
from classifier.models.contract import EmptyTaxonomy
from classifier.taxonomy import importing
from classifier.taxonomy.files import reading
from classifier.taxonomy.files.entries import LabelEntry, UnusableFile


class Command(BaseCommand):
    help = (
        "Import categories and sentiments from a file (.csv, .yaml, .json, .txt), standard input or a help desk's "
        "field. Labels are added and changed; a repeated import changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", nargs="?", help="the file; - reads lines such as “Billing > Refunds: money back”")
        source.add_argument(
            "--helpdesk",
            type=_field,
            metavar="NAME:FIELD",
            help="a help desk's short name and one of its fields, whose options become categories",
        )
        parser.add_argument("--complete", action="store_true", help="retire the labels that the file lacks")
        parser.add_argument("--dry-run", action="store_true", help="show the changes without making them")
        parser.add_argument(
            "--draft", action="store_true", help="create a draft with the changes, to be published later"
        )

    def handle(self, *args: Any, file: str, helpdesk: tuple[str, str], **options: Any) -> None:
        name = ":".join(helpdesk) if helpdesk else Path(file).name
        try:
            self._import(_read_field(*helpdesk) if helpdesk else _read(file), name, **options)
        except UnusableFile as error:
            raise CommandError("\n".join(error.problems)) from error
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error
        except (EmptyTaxonomy, OSError, field_options.FieldUnavailable) as error:
            raise CommandError(str(error)) from error

    def _import(
        self, entries: list[LabelEntry], name: str, *, complete: bool, dry_run: bool, draft: bool, **_: Any
    ) -> None:
        if draft and not dry_run:
            drafted = importing.create_draft(entries, name, None, complete=complete)
            self.stdout.write(f"draft {drafted.pk}: {drafted}" if drafted else "nothing to change")
            return
        if dry_run:
            preview = importing.preview(entries, name, complete=complete)
            changes, problems = preview.changes, preview.problems
        else:
            changes, problems = importing.apply(entries, name, None, complete=complete), []
        for change in changes or ["nothing to change"]:
            self.stdout.write(change)
        if problems:
            raise CommandError("\n".join(problems))
        if dry_run:
            self.stdout.write("nothing is changed yet")


def _read(file: str) -> list[LabelEntry]:
    if file == "-":
        return reading.read(sys.stdin.buffer.read(reading.LARGEST_FILE + 1), "")
    with Path(file).open("rb") as stream:
        return reading.read(stream.read(reading.LARGEST_FILE + 1), file)


def _read_field(slug: str, field: str) -> list[LabelEntry]:
    help_desk = HelpDesk.objects.filter(slug=slug).first()
    if not help_desk:
        raise CommandError(f"no help desk has the short name {slug!r}")
    return reading.read_options(field_options.read(help_desk, field))


def _field(text: str) -> tuple[str, str]:
    help_desk, separator, field = text.partition(":")
    if not (help_desk and separator and field):
        raise ArgumentTypeError(f"{text!r} is not of the form NAME:FIELD")
    return help_desk, field
