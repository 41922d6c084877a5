"""Can a model be reached, and how does it answer?"""

from classifier.contract.types import Answer, ClassifierError
from classifier.inference.ask_models import ask
from classifier.models import ContractVersion, LanguageModel

TEXT = "Hello, I cannot sign in since this morning. Can you help?"


def ping(language_model: LanguageModel) -> Answer | ClassifierError:
    """Ask one short ticket under the contract in force. Raises EmptyTaxonomy."""
    return ask(TEXT, language_model, ContractVersion.objects.current())
