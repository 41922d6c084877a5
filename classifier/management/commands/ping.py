from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.contract.types import ClassifierError
from classifier.inference.health_check import ping, summary
from classifier.management.notices import warn_of_fallback_model
from classifier.models import Gate, LanguageModel
from classifier.models.contract import EmptyTaxonomy


class Command(BaseCommand):
    help = (
        "Send each model a short ticket; show its latency and JSON mode, or the error. Fails if an active model fails."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("models", nargs="*", metavar="MODEL", help="names of models (default: all)")

    def handle(self, *args: Any, models: list[str], **options: Any) -> None:
        language_models = LanguageModel.objects.select_related("provider")
        chosen = list(language_models.filter(name__in=models) if models else language_models)
        if unknown := set(models) - {language_model.name for language_model in chosen}:
            raise CommandError(f"Unknown models: {', '.join(sorted(unknown))}. Available: {_names(language_models)}.")
        needed = {language_model.name for language_model in chosen} if models else set()
        if gate := Gate.objects.first():
            active = (gate.active_front(), gate.active_primary(), gate.active_second_opinion())
            needed |= {language_model.name for language_model in active if language_model}
            warn_of_fallback_model(self)
        answered = {language_model.name for language_model in chosen if self._ping(language_model)}
        if missing := needed.intersection(language_model.name for language_model in chosen) - answered:
            raise CommandError(f"No answer from {', '.join(sorted(missing))}.")

    def _ping(self, language_model: LanguageModel) -> bool:
        """Whether the model answered. A model without its key is not asked."""
        if language_model.provider.missing_key:
            self.stdout.write(
                f"{language_model.name} ({language_model.provider}): not asked, "
                f"{language_model.provider.missing_key} is not set"
            )
            return False
        try:
            result = ping(language_model)
        except EmptyTaxonomy as error:
            raise CommandError(str(error)) from error
        if isinstance(result, ClassifierError):
            self.stdout.write(
                self.style.ERROR(f"{language_model.name} ({language_model.provider}): {result.kind}: {result}")
            )
            return False
        self.stdout.write(f"{language_model.name} ({language_model.provider}): {summary(result)}")
        return True


def _names(language_models: Any) -> str:
    return ", ".join(language_model.name for language_model in language_models)
