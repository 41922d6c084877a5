from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.contract.types import ClassifierError
from classifier.inference.health_check import ping
from classifier.management.notices import say_who_answers
from classifier.models import Gate, ModelSpec
from classifier.models.contract import EmptyTaxonomy


class Command(BaseCommand):
    help = "Ask each model one short ticket: its latency and JSON mode, or the exact error. Fails if a needed one does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("models", nargs="*", metavar="MODEL", help="names of models; all of them by default")

    def handle(self, *args: Any, models: list[str], **options: Any) -> None:
        specs = ModelSpec.objects.select_related("provider")
        chosen = list(specs.filter(name__in=models) if models else specs)
        if unknown := set(models) - {spec.name for spec in chosen}:
            raise CommandError(f"There is no model {', '.join(sorted(unknown))}; there are {_names(specs)}.")
        needed = {spec.name for spec in chosen} if models else set()
        if gate := Gate.objects.first():
            in_charge = (gate.front_in_charge(), gate.primary_in_charge(), gate.second_in_charge())
            needed |= {spec.name for spec in in_charge if spec}
            say_who_answers(self)
        answered = {spec.name for spec in chosen if self._ping(spec)}
        if missing := needed.intersection(spec.name for spec in chosen) - answered:
            raise CommandError(f"No answer from {', '.join(sorted(missing))}.")

    def _ping(self, spec: ModelSpec) -> bool:
        """Whether the model answered; without its key it is not asked."""
        if spec.provider.missing_key:
            self.stdout.write(f"{spec.name} ({spec.provider}): not asked, {spec.provider.missing_key} is not set")
            return False
        try:
            result = ping(spec)
        except EmptyTaxonomy as error:
            raise CommandError(str(error)) from error
        if isinstance(result, ClassifierError):
            self.stdout.write(self.style.ERROR(f"{spec.name} ({spec.provider}): {result.kind}: {result}"))
            return False
        mode = f", {result.usage.json_mode}" if spec.provider.kind == spec.provider.Kind.CHAT else ""
        self.stdout.write(f"{spec.name} ({spec.provider}): ok, {result.usage.latency_ms:.0f} ms{mode}")
        return True


def _names(specs: Any) -> str:
    return ", ".join(spec.name for spec in specs)
