"""Builds and caches the backends. A new kind of backend is one file here and one case in `registry`."""

import json
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from classifier.contract.types import Classifier, ClassifierError, Dialect, FailureKind, ProviderFault
from classifier.security.secrets_from_env import secret_or_empty

if TYPE_CHECKING:
    from classifier.inference.backends.connections import Resolver
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


def chat_model(
    *,
    base_url: str,
    api_key_env: str,
    model: str,
    parameters: dict[str, Any],
    timeout: float,
    max_in_flight: int,
    dialect: Dialect,
    logprobs: bool,
    addresses: "Resolver",
) -> Classifier:
    """A model behind an OpenAI-compatible URL, one object per process. `addresses` resolves its host to allowed
    addresses. Raises ProviderFault if the key is missing.
    """
    api_key = secret_or_empty(api_key_env)
    if api_key_env and not api_key:
        raise ProviderFault(
            f"The environment variable {api_key_env} is not set; {model} cannot be asked without it.",
            kind=FailureKind.NO_KEY,
        )
    with _building:
        endpoint = _endpoint(base_url, api_key, api_key_env, model, timeout, max_in_flight, addresses)
        return _chat(endpoint, json.dumps(parameters, sort_keys=True), dialect, logprobs)


@lru_cache(maxsize=64)
def _endpoint(
    base_url: str,
    api_key: str,
    api_key_env: str,
    model: str,
    timeout: float,
    max_in_flight: int,
    addresses: "Resolver",
) -> "Endpoint":
    """Shared by all classifiers of a model, so that they share one limit on requests in flight."""
    from classifier.inference.backends.endpoint import Endpoint

    return Endpoint(
        base_url=base_url,
        api_key=api_key,
        api_key_env=api_key_env,
        model=model,
        timeout=timeout,
        max_in_flight=max_in_flight,
        addresses=addresses,
    )


@lru_cache(maxsize=64)
def _chat(endpoint: "Endpoint", parameters: str, dialect: Dialect, logprobs: bool) -> Classifier:
    from classifier.inference.backends.chat import ChatClassifier

    return ChatClassifier(endpoint, parameters=json.loads(parameters), dialect=dialect, logprobs=logprobs)
