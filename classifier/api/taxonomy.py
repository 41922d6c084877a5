"""The labels that there are, and the models."""

from typing import Any

from ninja import Router, Schema

from classifier.api.authentication import ApiRequest, requires
from classifier.models import ContractVersion, Gate, LanguageModel
from classifier.models.api_keys import Scope

router = Router(tags=["Taxonomy and models"])


class LabelOption(Schema):
    """A label that models and people choose; a category by its full name, "parent > child"."""

    name: str
    description: str
    examples: list[str]


class TaxonomyOut(Schema):
    """`version` is the SHA-256 of all that models are told and asked, and changes with it."""

    version: str
    categories: list[LabelOption]
    sentiments: list[LabelOption]


class ModelOut(Schema):
    """`roles` are those at the gate: "primary", "second_opinion", "front". One of `missing_key` cannot be asked."""

    id: int
    name: str
    provider: str
    kind: str
    family: str
    learns: bool
    roles: list[str]
    missing_key: bool


class ModelsOut(Schema):
    """`answering` is the model that labels tickets now: the primary, or the one that stands in for it."""

    answering: str
    items: list[ModelOut]


@router.get(
    "/taxonomy",
    response=TaxonomyOut,
    summary="The labels that there are",
    **requires(Scope.TAXONOMY_READ, "classifier.view_ticket"),
)
def read_taxonomy(request: ApiRequest) -> Any:
    """As they are in force."""
    version = ContractVersion.objects.current()
    terms = version.terms
    return {"version": version.digest, "categories": terms.categories, "sentiments": terms.sentiments}


@router.get(
    "/models", response=ModelsOut, summary="The models", **requires(Scope.MODELS_READ, "classifier.view_ticket")
)
def list_models(request: ApiRequest) -> Any:
    """Without what it takes to reach them."""
    gate = Gate.current()
    language_models = LanguageModel.objects.select_related("provider")
    return {
        "answering": gate.active_primary().name,
        "items": [_told(language_model, gate) for language_model in language_models],
    }


def _told(language_model: LanguageModel, gate: Gate) -> dict[str, Any]:
    roles = {"primary": gate.primary_id, "second_opinion": gate.second_opinion_id, "front": gate.front_id}
    return {
        "id": language_model.pk,
        "name": language_model.name,
        "provider": language_model.provider.name,
        "kind": language_model.provider.kind,
        "family": language_model.family,
        "learns": bool(language_model.learning),
        "roles": [role for role, pk in roles.items() if pk == language_model.pk],
        "missing_key": bool(language_model.provider.missing_key),
    }
