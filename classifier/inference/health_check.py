"""Checks that a model can be reached and answers."""

import logging

from classifier.contract import prompt
from classifier.contract.types import Answer, ClassifierError, JsonMode, ProviderFault
from classifier.inference.ask_models import ask
from classifier.models import ContractVersion, LanguageModel, Pause

logger = logging.getLogger(__name__)


def ping(language_model: LanguageModel) -> Answer | ClassifierError:
    """Classify one short ticket under the current contract, and end the model's pause if its provider answers again.
    Raises EmptyTaxonomy.
    """
    result = ask(prompt.HARMLESS_TEXT, language_model, ContractVersion.objects.current())
    if has_answered(result) and Pause.objects.filter(language_model=language_model).delete()[0]:
        logger.warning("%s answers again; its pause is over.", language_model)
    return result


def has_answered(result: Answer | ClassifierError) -> bool:
    """Whether the provider replied to the request itself, however useless the reply."""
    return isinstance(result, Answer) or (result.permanent and not isinstance(result, ProviderFault))


def summary(answer: Answer) -> str:
    """How a model answered: its latency, and how its endpoint has to be asked."""
    usage = answer.usage
    spoken = "" if usage.dialect.json_mode == JsonMode.UNKNOWN else f", {usage.dialect}"
    return f"ok, {usage.latency_ms:.0f} ms{spoken}{', reply repaired' if usage.repaired else ''}"
