import argparse
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.models import Category, Sentiment
from classifier.models.contract import EmptyTaxonomy
from review.datasets import exporting
from review.datasets.formats import labelstudio
from review.datasets.formats.openai_chat import FEWEST_EXAMPLES
from review.datasets.formats.registry import FORMATS, Format
from review.datasets.record import Manifest
from review.datasets.writing import atomic_output, is_stream
from review.gold import snapshots
from review.gold.snapshots import LOOKUPS
from review.models import GoldLabel, Side, Snapshot

_CARRIES_ITS_MANIFEST = {"hf"}


class Command(BaseCommand):
    help = "Export settled labels to a file in your tool's format, with a manifest beside it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, required=True)
        about = "- for standard output; for hf a folder, or FILE.zip"
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=about)
        parser.add_argument("--snapshot", help="an earlier snapshot, by the first characters of its digest")
        parser.add_argument("--side", choices=Side.values, help="both by default")
        parser.add_argument("--corrected", action="store_true", help="only labels that corrected the model")
        parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="labelled on that day or later")
        parser.add_argument("--until", type=_day, metavar="YYYY-MM-DD", help="labelled on that day or earlier")
        parser.add_argument(
            "--category", action="append", default=[], help="by full name, with all below; may be repeated"
        )
        parser.add_argument("--sentiment", action="append", default=[], help="may be repeated")
        parser.add_argument("--origin", action="append", default=[], choices=GoldLabel.Origin.values)
        parser.add_argument("--people", type=int, help="minimum number of reviewers who agree")
        parser.add_argument("--source", action="append", default=[], help="of the ticket; may be repeated")
        parser.add_argument("--language", action="append", default=[], help="of the ticket; may be repeated")
        parser.add_argument(
            "--mask",
            action="store_true",
            help="replace e-mail addresses, phone, card and account numbers and IP addresses",
        )
        parser.add_argument("--licence", default="", help="for the manifest and the dataset card")

    def handle(self, *args: Any, output: Path, **options: Any) -> None:
        format = FORMATS[options["format"]]
        try:
            exporting.check_available(format)
        except exporting.MissingPackage as error:
            raise CommandError(str(error)) from error
        snapshot = self._snapshot(options)
        kind = {"masked": options["mask"], "licence": options["licence"]}
        manifest = exporting.build_manifest(snapshot, format, **kind)
        try:
            if format.name == "hf" and output.suffix != ".zip" and not is_stream(output):
                from review.datasets.formats import hf  # which needs a package that is not always installed

                hf.write_folder(exporting.snapshot_records(snapshot, masked=options["mask"]), manifest, output)
            else:
                with atomic_output(output) as file:
                    file.writelines(exporting.stream(snapshot, format, **kind))
                self._write_beside(output, format, manifest)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror or error}") from error
        self._tell(snapshot, format, manifest, output)

    def _write_beside(self, output: Path, format: Format, manifest: Manifest) -> None:
        """Write the files that accompany an export, unless it goes to a stream."""
        if is_stream(output):
            return
        beside = {} if format.name in _CARRIES_ITS_MANIFEST else {".manifest.json": manifest.as_json()}
        if format.name == "labelstudio":
            beside[".labelling.xml"] = labelstudio.labelling_config(manifest).encode()
        for ending, content in beside.items():
            with atomic_output(output.with_name(output.name + ending)) as file:
                file.write(content)

    def _tell(self, snapshot: Snapshot, format: Format, manifest: Manifest, output: Path) -> None:
        aside = is_stream(output)
        message = f"{manifest.records:,} labels of snapshot {snapshot} are in {output}"
        if manifest.erased:
            message += f"; {manifest.erased:,} were erased since the snapshot was created"
        if benchmark := snapshot.items_count - manifest.records - manifest.erased:
            message += f"; {benchmark:,} of the benchmark side were left out"
        if aside and format.name not in _CARRIES_ITS_MANIFEST:
            message += "; no manifest was written"
        (self.stderr if aside else self.stdout).write(message, str)
        if format.name == "openai" and manifest.records < FEWEST_EXAMPLES:
            self.stderr.write(f"OpenAI trains on no fewer than {FEWEST_EXAMPLES} examples: label more before you do.")

    def _snapshot(self, options: dict[str, Any]) -> Snapshot:
        filters = {name: options[name] for name in LOOKUPS if options[name]}
        if options["snapshot"] and filters:
            raise CommandError(
                f"A snapshot cannot be filtered ({', '.join(filters)}): "
                "leave out --snapshot to create a new one, or leave out the filters."
            )
        try:
            if options["snapshot"]:
                return Snapshot.objects.get(digest__startswith=options["snapshot"])
            keys = {
                axis: _keys(filters[axis], dict(names))
                for axis, names in (
                    ("category", Category.objects.paths().items()),
                    ("sentiment", Sentiment.objects.values_list("pk", "name")),
                )
                if axis in filters
            }
            return snapshots.create_snapshot(filters | keys)
        except (Snapshot.DoesNotExist, Snapshot.MultipleObjectsReturned) as error:
            raise CommandError(f"No single snapshot has a digest starting with {options['snapshot']}.") from error
        except snapshots.EmptySnapshot as error:
            raise CommandError("No settled label matches these filters; nothing was written.") from error
        except EmptyTaxonomy as error:
            raise CommandError(str(error)) from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-01-31") from error


def _keys(wanted: list[str], names: dict[int, str]) -> list[int]:
    by_name = {name: pk for pk, name in names.items()}
    if unknown := set(wanted) - by_name.keys():
        raise CommandError(f"Unknown label {', '.join(sorted(unknown))}; known labels: {', '.join(by_name)}.")
    return [by_name[name] for name in wanted]
