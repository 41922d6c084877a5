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
            help="exported evidence; the database's by default",
        )

    def handle(self, *args: Any, file: TextIO | None, **options: Any) -> None:
        try:
            recounts = list(
                recount(_read(file) if file else evidence_export.evidence_lines(Ledger.objects.order_by("pk")))
            )
        except InvalidEvidence as error:
            raise CommandError(str(error)) from error
        for count in recounts:
            self.stdout.write(_line(count))
        differing = [count for count in recounts if not count.agrees]
        if differing:
            raise CommandError(f"{len(differing)} of {len(recounts)} certificates differ from the evidence.")
        self.stdout.write(f"{len(recounts)} certificates, all in agreement with the evidence.")


def _read(file: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise InvalidEvidence(f"Line {number} is not JSON: {error}.") from error


def _line(count: Recount) -> str:
    word = "agrees" if count.agrees else "DIFFERS"
    holds = "certified" if count.holds else "not certified"
    return (
        f"#{count.certificate} from {count.threshold:.4f} on: granted on {count.audits} audits with "
        f"{count.errors} errors, counted {count.counted_audits} with {count.counted_errors}, {holds}: {word}; of "
        f"{count.passed} tickets auto-accepted in its epoch without an audit at most {count.most_wrong} are wrong, "
        f"except with a probability of {count.risk:.1%}"
    )
