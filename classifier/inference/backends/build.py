"""Builds and caches the backends. A new kind of backend is one file here and one case in `registry`."""

import json
from dataclasses import replace
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from classifier.contract.types import Classifier, ClassifierError, Dialect, FailureKind, ProviderFault
from classifier.inference.backends.remote_model import RemoteModel
from classifier.security.secrets_from_env import secret_or_empty

if TYPE_CHECKING:
    from classifier.inference.backends.embedded import LoadedVersion
    from classifier.inference.backends.endpoint import Endpoint

# Libraries are imported on first use: a web process that asks no model loads none.

# Threads that start together share one model, and its limit on requests in flight.
_building = Lock()


def embedded_model(
    *, encoder_file: str, tokenizer_file: str, loaded: "LoadedVersion | None" = None, words: bool = False
) -> Classifier:
    """The embedded model of this process, optionally with a specialist version or its words-only model. Empty names
    mean the packaged files. Raises ClassifierError.
    """
    with _building:
        return _embedded(encoder_file, tokenizer_file, loaded, words)


# The untrained model, and two versions with their words-only models.
@lru_cache(maxsize=5)
def _embedded(encoder_file: str, tokenizer_file: str, loaded: "LoadedVersion | None", words: bool) -> Classifier:
    from classifier.embeddings.encoder_files import CorruptEncoder
    from classifier.inference.backends.embedded import EmbeddedClassifier

    try:
        return EmbeddedClassifier(encoder_file, tokenizer_file, loaded=loaded, words=words)
    except CorruptEncoder as error:
        raise ClassifierError(str(error), kind=FailureKind.BROKEN_MODEL, permanent=True) from error


def chat_model(model: RemoteModel, *, parameters: dict[str, Any], dialect: Dialect, logprobs: bool) -> Classifier:
    """A model behind the OpenAI chat protocol, one object per process. Raises ProviderFault if the key is missing."""
    with _building:
        return _chat(_endpoint(_with_key(model)), json.dumps(parameters, sort_keys=True), dialect, logprobs)


def decisions_model(model: RemoteModel) -> Classifier:
    """A model behind the decisions protocol, one object per process. Raises ProviderFault if the key is missing."""
    with _building:
        return _decisions(_endpoint(_with_key(model)))


def _with_key(model: RemoteModel) -> RemoteModel:
    key = secret_or_empty(model.key_variable)
    if model.key_variable and not key:
        raise ProviderFault(
            f"The environment variable {model.key_variable} is not set; {model.name} cannot be asked without it.",
            kind=FailureKind.NO_KEY,
        )
    return replace(model, key=key)


@lru_cache(maxsize=64)
def _endpoint(model: RemoteModel) -> "Endpoint":
    """Shared by all classifiers of a model, so that they share one limit on requests in flight."""
    from classifier.inference.backends.endpoint import Endpoint

    return Endpoint(model)


@lru_cache(maxsize=64)
def _chat(endpoint: "Endpoint", parameters: str, dialect: Dialect, logprobs: bool) -> Classifier:
    from classifier.inference.backends.chat import ChatClassifier

    return ChatClassifier(endpoint, parameters=json.loads(parameters), dialect=dialect, logprobs=logprobs)


@lru_cache(maxsize=64)
def _decisions(endpoint: "Endpoint") -> Classifier:
    from classifier.inference.backends.decisions import DecisionsClassifier

    return DecisionsClassifier(endpoint)
