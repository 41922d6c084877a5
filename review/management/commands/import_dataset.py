import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from review.datasets import importing, label_imports
from review.datasets.importing import ImportReport, UnknownLabel
from review.datasets.parsing import usual_columns
from review.datasets.reading import RecordReader, UnreadableDataset


class Command(BaseCommand):
    help = "Import labels from a file: an export from here or from Label Studio, or any CSV or JSON lines file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=argparse.FileType("rb"))
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            type=_mapped,
            metavar="FIELD=COLUMN",
            help="which column holds text, category, sentiment or another field; may be repeated",
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            type=_renamed,
            metavar='"OLD=NEW"',
            help="map a name in the file to the full name of a label; may be repeated",
        )
        parser.add_argument("--encoding", help="of a text file; detected by default")
        parser.add_argument("--draft", action="store_true", help="draft a taxonomy with the labels that it lacks")
        parser.add_argument("--dry-run", action="store_true", help="show the result without saving anything")

    def handle(
        self,
        *args: Any,
        file: Any,
        map: list[tuple[str, str]],
        label: list[tuple[str, str]],
        encoding: str | None,
        draft: bool,
        dry_run: bool,
        **_: Any,
    ) -> None:
        with file:
            try:
                columns = usual_columns(RecordReader(file, file.name, {}, encoding).sample().names) | dict(map)
                self.stdout.write("columns: " + ", ".join(f"{name}={column}" for name, column in columns.items()))
                records = RecordReader(file, file.name, dict(map), encoding)
                report = importing.import_labels(records, dry_run=dry_run, labels=dict(label))
            except UnreadableDataset as error:
                raise CommandError(f"{file.name}: {error}") from error
            except UnknownLabel as error:
                raise CommandError(str(error)) from error
        if records.encoding:
            self.stdout.write(f"encoding: {records.encoding} (--encoding takes another)")
        self._print(report, "would be added" if dry_run else "added")
        if report.unknown and draft:
            self._draft(report, Path(file.name).name)

    def _print(self, report: ImportReport, verb: str) -> None:
        for rejected in report.rejections:
            self.stderr.write(f"record {rejected.number}: {rejected.reason}")
        if report.rejected > len(report.rejections):
            self.stderr.write(f"and {report.rejected - len(report.rejections):,} more")
        self.stdout.write(
            f"{report.read:,} records: {report.added:,} {verb}, {report.known:,} known already, "
            f"{report.rejected:,} rejected"
        )
        if report.refused_answers:
            refused = ", ".join(f"{key} ({number:,})" for key, number in report.refused_answers.most_common(20))
            self.stderr.write(f"Answers that no attribute takes were left out: {refused}")
        if report.unknown:
            unknown = ", ".join(f"{name} ({number:,})" for (_axis, name), number in report.unknown.most_common(20))
            self.stdout.write(f"unknown labels: {unknown}")
            self.stdout.write('map them with --label "OLD=NEW", or draft a taxonomy with them: --draft')

    def _draft(self, report: ImportReport, name: str) -> None:
        draft, problems = label_imports.draft_labels(report.unknown, name, None)
        for problem in problems:
            self.stderr.write(problem)
        if draft:
            self.stdout.write(f"draft {draft.pk}: {draft}; publish it in the admin, then import the file again")


def _mapped(text: str) -> tuple[str, str]:
    field, separator, column = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form FIELD=COLUMN")
    return field, column


def _renamed(text: str) -> tuple[str, str]:
    old, separator, new = (part.strip() for part in text.partition("="))
    if not (old and separator and new):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form OLD=NEW")
    return old, new
