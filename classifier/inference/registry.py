"""Builds the classifier for a model's row; the only place that tells kinds of models apart."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

from classifier.contract.types import Classifier, ClassifierError, FailureKind, ProviderFault
from classifier.embeddings import nearest_examples
from classifier.inference.backends import build
from classifier.inference.backends.remote_model import RemoteModel
from classifier.models import LanguageModel, Provider, SpecialistVersion
from classifier.models.language_models import Learning
from classifier.security import ssrf

if TYPE_CHECKING:
    from classifier.inference.backends.embedded import LoadedVersion


def classifier_for(language_model: LanguageModel) -> Classifier:
    """The model's classifier, one object per process, configuration and specialist version. Raises ClassifierError."""
    match language_model.provider.kind, language_model.learning:
        case Provider.Kind.EMBEDDED, Learning.NOTHING:
            return build.embedded_model(encoder_file=settings.ENCODER_FILE, tokenizer_file=settings.TOKENIZER_FILE)
        case Provider.Kind.EMBEDDED, _:
            return _specialist(language_model)
        case Provider.Kind.CHAT, _:
            return build.chat_model(
                _remote(language_model),
                parameters=language_model.parameters(),
                dialect=language_model.dialect,
                logprobs=language_model.logprobs,
            )
        case Provider.Kind.DECISIONS, _:
            return build.decisions_model(_remote(language_model))
    raise ValueError(f"Unknown kind of backend: {language_model.provider.kind!r}.")


def _remote(language_model: LanguageModel) -> RemoteModel:
    return RemoteModel(
        base_url=language_model.provider.base_url,
        name=language_model.name,
        key_variable=language_model.provider.api_key_env,
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


def _specialist(language_model: LanguageModel) -> Classifier:
    serving = list(SpecialistVersion.objects.filter(live=True).values_list("pk", "sha256"))
    words = language_model.learning == Learning.WORDS
    if words and not serving:
        raise ClassifierError(
            f"{language_model} has learned nothing yet; it answers once enough tickets are labelled.",
            kind=FailureKind.UNTRAINED,
            permanent=True,
        )
    return build.embedded_model(
        encoder_file=settings.ENCODER_FILE,
        tokenizer_file=settings.TOKENIZER_FILE,
        loaded=_load_version(*serving[0]) if serving else None,
        words=words,
    )


@lru_cache(maxsize=2)
def _load_version(version_pk: int, _sha256: str) -> LoadedVersion:
    """A version as it was stored, read once per process and content. Raises ClassifierError."""
    from classifier.inference.backends.embedded import LoadedVersion
    from classifier.learning.weights import CorruptWeights

    try:
        learned = SpecialistVersion.objects.get(pk=version_pk).load_weights()
    except CorruptWeights as error:
        raise ClassifierError(str(error), kind=FailureKind.BROKEN_MODEL, permanent=True) from error
    return LoadedVersion(version=version_pk, learned=learned, examples=nearest_examples.index)


def clear_cache() -> None:
    """Read specialist versions from the database again."""
    _load_version.cache_clear()
