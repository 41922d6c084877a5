import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.models import Category, Sentiment
from classifier.models.contract import EmptyTaxonomy
from classifier.models.taxonomy import paths
from review import snapshots
from review.datasets import exporting
from review.datasets.formats import FORMATS, Format, hf
from review.datasets.manifest import manifest_json
from review.models import GoldLabel, Side, Snapshot
from review.snapshots import Filters

_CARRIES_ITS_MANIFEST = {"hf"}


class Command(BaseCommand):
    help = "Write labels that people settled on to a file, in the format of your tool; with a manifest beside it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, required=True)
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="for hf a folder, or FILE.zip")
        parser.add_argument("--snapshot", help="an earlier snapshot, by the first characters of its digest")
        parser.add_argument("--side", choices=Side.values, help="both by default")
        parser.add_argument("--corrected", action="store_true", help="only where people corrected the model")
        parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="labelled on that day or later")
        parser.add_argument("--until", type=_day, metavar="YYYY-MM-DD", help="labelled on that day or earlier")
        parser.add_argument("--category", action="append", default=[], help="by its full name; may be repeated")
        parser.add_argument("--sentiment", action="append", default=[], help="may be repeated")
        parser.add_argument("--origin", action="append", default=[], choices=GoldLabel.Origin.values)
        parser.add_argument("--people", type=int, default=1, help="at least so many gave the label independently")
        parser.add_argument("--source", action="append", default=[], help="of the ticket; may be repeated")
        parser.add_argument("--language", action="append", default=[], help="of the ticket; may be repeated")
        parser.add_argument("--mask", action="store_true", help="e-mail, phone, card, IBAN and IP out of the texts")
        parser.add_argument("--licence", default="", help="for the manifest and the dataset card")

    def handle(self, *args: Any, output: Path, **options: Any) -> None:
        snapshot, format = self._snapshot(options), FORMATS[options["format"]]
        kind = {"masked": options["mask"], "licence": options["licence"]}
        try:
            if format.name == "hf" and output.suffix != ".zip":
                records = exporting.records_of(snapshot, masked=options["mask"])
                hf.write_folder(records, exporting.manifest_of(snapshot, **kind), output)
            else:
                self._write(snapshot, format, output, kind)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror or error}") from error
        self.stdout.write(f"{snapshot.items_count:,} labels of snapshot {snapshot} are in {output}")

    def _write(self, snapshot: Snapshot, format: Format, output: Path, kind: dict[str, Any]) -> None:
        with _whole(output) as file:
            file.writelines(exporting.stream(snapshot, format, **kind))
        if format.name not in _CARRIES_ITS_MANIFEST:
            with _whole(output.with_name(output.name + ".manifest.json")) as file:
                file.write(manifest_json(exporting.manifest_of(snapshot, **kind)))

    def _snapshot(self, options: dict[str, Any]) -> Snapshot:
        try:
            if options["snapshot"]:
                return Snapshot.objects.get(digest__startswith=options["snapshot"])
            return snapshots.take(self._filters(options))
        except (Snapshot.DoesNotExist, Snapshot.MultipleObjectsReturned) as error:
            raise CommandError(f"There is not one snapshot whose digest begins with {options['snapshot']}.") from error
        except snapshots.NothingToKeep as error:
            raise CommandError("No label that people settled on is of this kind; nothing was written.") from error
        except EmptyTaxonomy as error:
            raise CommandError(str(error)) from error

    def _filters(self, options: dict[str, Any]) -> Filters:
        return Filters(
            sides=(options["side"],) if options["side"] else tuple(Side.values),
            corrected=options["corrected"],
            since=options["since"],
            until=options["until"],
            categories=_keys(options["category"], paths(Category.objects.all())),
            sentiments=_keys(options["sentiment"], dict(Sentiment.objects.values_list("pk", "name"))),
            origins=tuple(options["origin"]),
            people=options["people"],
            sources=tuple(options["source"]),
            languages=tuple(options["language"]),
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-01-31") from error


def _keys(wanted: list[str], names: dict[int, str]) -> tuple[int, ...]:
    by_name = {name: pk for pk, name in names.items()}
    if unknown := set(wanted) - by_name.keys():
        raise CommandError(f"There is no label {', '.join(sorted(unknown))}; there are {', '.join(by_name)}.")
    return tuple(by_name[name] for name in wanted)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that is there when all of it is written, and not before."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
