"""Checks that a model can be reached and answers."""

from classifier.contract.types import Answer, ClassifierError
from classifier.inference.ask_models import ask
from classifier.models import ContractVersion, LanguageModel

TEXT = "Hello, I cannot sign in since this morning. Can you help?"


def ping(language_model: LanguageModel) -> Answer | ClassifierError:
    """Classify one short ticket under the current contract. Raises EmptyTaxonomy."""
    return ask(TEXT, language_model, ContractVersion.objects.current())
