import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.embeddings.encoder_files import CorruptEncoder
from classifier.models.contract import EmptyTaxonomy
from review.specialist import training


class Command(BaseCommand):
    help = "Teach the specialist what people have decided, and put it in service where it is better."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would come of it")
        parser.add_argument("--due", action="store_true", help="only if enough is new; yields as --yielding does")
        parser.add_argument("--yielding", action="store_true", help="let all other work go first, another training too")

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
        return "It would be put in service." if result.promoted else "What serves would go on serving."
    if not result.promoted:
        return f"Version {result.version} is no better than what serves; that goes on."
    if not result.served:
        return f"Version {result.version} is better, but a person chose the one in service; that goes on."
    return f"Version {result.version} is in service."
