import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.embeddings.sources import CorruptEncoder
from classifier.models.contract import EmptyTaxonomy
from review.specialist import training


class Command(BaseCommand):
    help = "Train the specialist on settled labels and deploy it if it is better."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show the result without storing a version")
        parser.add_argument("--due", action="store_true", help="train only if a training is due; implies --yielding")
        parser.add_argument(
            "--yielding", action="store_true", help="run at low priority, and skip if another training is running"
        )

    def handle(self, *args: Any, dry_run: bool, due: bool, yielding: bool, **options: Any) -> None:
        if due and not training.is_due():
            return
        if due or yielding:
            os.nice(19)
        try:
            result = training.train(dry_run=dry_run, report=self.stdout.write)
        except training.TrainingInProgress as error:
            if not (due or yielding):
                raise CommandError(str(error)) from error
            return
        except (training.TooFewLabels, EmptyTaxonomy, CorruptEncoder) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(_outcome(result)) if result.promoted else _outcome(result))


def _outcome(result: training.TrainingResult) -> str:
    if result.version is None:
        return "It would be deployed." if result.promoted else "The live version would stay live."
    if not result.promoted:
        return f"Version {result.version} is no better than the live version, which stays live."
    if not result.deployed:
        return f"Version {result.version} is better, but the live version is pinned and stays live."
    return f"Version {result.version} is live."
