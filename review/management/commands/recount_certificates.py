import json
from argparse import FileType
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from review.certification import evidence_export
from review.certification.recount import InvalidEvidence, Recount, recount
from review.models import Ledger


class Command(BaseCommand):
    help = "Recompute every certificate from the evidence and report differences."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            nargs="?",
            type=FileType(encoding="utf-8"),
            help="exported evidence; else that of the database",
        )

    def handle(self, *args: Any, file: TextIO | None, **options: Any) -> None:
        try:
            found = list(
                recount(_read(file) if file else evidence_export.evidence_lines(Ledger.objects.order_by("pk")))
            )
        except InvalidEvidence as error:
            raise CommandError(str(error)) from error
        for one in found:
            self.stdout.write(_line(one))
        differing = [one for one in found if not one.agrees]
        if differing:
            raise CommandError(f"{len(differing)} of {len(found)} certificates differ from the evidence.")
        self.stdout.write(f"{len(found)} certificates, and all agree with the evidence.")


def _read(file: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise InvalidEvidence(f"Line {number} is no JSON: {error}.") from error


def _line(one: Recount) -> str:
    counts = f"granted on {one.audits} audits with {one.errors} errors, counted {one.counted_audits} with "
    word = "agrees" if one.agrees else "DIFFERS"
    holds = "certified" if one.holds else "not certified"
    return f"#{one.certificate} from {one.passes_from:.4f} on: {counts}{one.counted_errors}, {holds}: {word}"
