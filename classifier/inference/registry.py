"""Builds the classifier for a model's row; the only place that tells kinds of models apart.

A new kind of backend is one file in `backends` and one case here. Their libraries are imported on first use: a web
process that asks no model loads none.
"""

import json
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from classifier.contract.types import Classifier, ClassifierError, Dialect, FailureKind, ProviderFault
from classifier.embeddings import nearest_examples
from classifier.embeddings.sources import PACKAGED, CorruptEncoder, EncoderSource, encoder_sources
from classifier.inference.backends.remote_model import RemoteModel
from classifier.models import LanguageModel, Provider, SpecialistVersion
from classifier.models.language_models import Learning
from classifier.security import ssrf
from classifier.security.secrets_from_env import secret_or_empty

if TYPE_CHECKING:
    from classifier.inference.backends.embedded import LoadedVersion
    from classifier.inference.backends.endpoint import Endpoint

# Threads that start together share one model, and its limit on requests in flight.
_building = Lock()


def classifier_for(language_model: LanguageModel) -> Classifier:
    """The model's classifier, one object per process, configuration and specialist version. Raises ClassifierError."""
    if language_model.provider.kind == Provider.Kind.EMBEDDED:
        loaded, words = _live_version(language_model), language_model.learning == Learning.WORDS
        with _building:
            return _embedded(_sources(loaded), loaded, words)
    model, parameters = _remote_model(language_model), json.dumps(language_model.parameters(), sort_keys=True)
    with _building:
        if language_model.provider.kind == Provider.Kind.DECISIONS:
            return _decisions(_endpoint(model))
        return _chat(_endpoint(model), parameters, language_model.dialect, language_model.logprobs)


def _sources(loaded: "LoadedVersion | None") -> tuple[EncoderSource, ...]:
    """The encoders in use, and before them those that the version was trained with and that are still there."""
    current, learned_with = encoder_sources(), loaded.learned.encoders if loaded else frozenset[str]()
    return (*(source for source in PACKAGED if source.name in learned_with and source not in current), *current)


def clear_cache() -> None:
    """Read specialist versions from the database again."""
    _load_version.cache_clear()


def _live_version(language_model: LanguageModel) -> "LoadedVersion | None":
    if language_model.learning == Learning.NOTHING:
        return None
    live = SpecialistVersion.objects.filter(live=True).values_list("pk", "sha256").first()
    if live is None and language_model.learning == Learning.WORDS:
        raise ClassifierError(
            f"{language_model} has learned nothing yet; it answers once enough tickets are labelled.",
            kind=FailureKind.UNTRAINED,
            permanent=True,
        )
    return _load_version(*live) if live else None


@lru_cache(maxsize=2)
def _load_version(version_pk: int, _sha256: str) -> "LoadedVersion":
    """A version as it was stored, read once per process and content. Raises ClassifierError."""
    from classifier.inference.backends.embedded import LoadedVersion
    from classifier.learning.weights import CorruptWeights

    try:
        learned = SpecialistVersion.objects.get(pk=version_pk).load_weights()
    except CorruptWeights as error:
        raise ClassifierError(str(error), kind=FailureKind.BROKEN_MODEL, permanent=True) from error
    return LoadedVersion(version=version_pk, learned=learned, examples=nearest_examples.index)


# The untrained model, and two versions with their words-only models.
@lru_cache(maxsize=5)
def _embedded(sources: tuple[EncoderSource, ...], loaded: "LoadedVersion | None", words: bool) -> Classifier:
    from classifier.inference.backends.embedded import EmbeddedClassifier

    try:
        return EmbeddedClassifier(sources, loaded=loaded, words=words)
    except CorruptEncoder as error:
        raise ClassifierError(str(error), kind=FailureKind.BROKEN_MODEL, permanent=True) from error


def _remote_model(language_model: LanguageModel) -> RemoteModel:
    provider = language_model.provider
    if provider.missing_key:
        raise ProviderFault(
            f"The environment variable {provider.missing_key} is not set; {language_model} cannot be asked without it.",
            kind=FailureKind.NO_KEY,
        )
    return RemoteModel(
        base_url=provider.base_url,
        name=language_model.name,
        key_variable=provider.api_key_env,
        key=secret_or_empty(provider.api_key_env),
        timeout=language_model.timeout,
        max_in_flight=language_model.max_in_flight,
        addresses=_addresses,
    )


def _addresses(host: str, port: int) -> list[str]:
    """Allowed addresses of a host. Raises ProviderFault for a blocked internal host, and OSError."""
    try:
        return ssrf.allowed_addresses(host, port)
    except ssrf.ForbiddenAddress as error:
        raise ProviderFault(str(error), kind=FailureKind.UNREACHABLE) from error


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
