import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from review.certification import evidence_export
from review.models import Ledger


class Command(BaseCommand):
    help = "Export the evidence of certified auto-accept (draws, scores, audits, certificates) as JSON lines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("output", type=Path, metavar="FILE")
        parser.add_argument("--ledger", type=_number, help="only this ledger, by its number")

    def handle(self, *args: Any, output: Path, ledger: int | None, **options: Any) -> None:
        ledgers = Ledger.objects.select_related("epoch__language_model", "epoch__contract").order_by("pk")
        if ledger is not None:
            ledgers = ledgers.filter(pk=ledger)
            if not ledgers:
                raise CommandError(f"Ledger {ledger} does not exist.")
        try:
            with output.open("w", encoding="utf-8") as file:
                file.writelines(evidence_export.json_lines(ledgers))
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror or error}") from error
        self.stdout.write(f"Evidence is in {output}: {len(ledgers)} ledger{'s' if len(ledgers) != 1 else ''}.")


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)
