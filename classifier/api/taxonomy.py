"""API operations for reading the taxonomy and the models."""

from typing import Any

from ninja import Router, Schema

from classifier.api.authentication import ApiRequest, requires
from classifier.models import ContractVersion, Gate, LanguageModel
from classifier.models.api_keys import Scope

router = Router(tags=["Taxonomy and models"])


class LabelOption(Schema):
    """A category, with its full path such as "Billing > Refund", or a sentiment."""

    name: str
    description: str
    examples: list[str]


class AttributeOut(Schema):
    """`kind`: "one_of" or "several_of" its options, "yes_no", or "text", which matches the pattern if there is one.
    `categories` are those it is asked of, with those below them; of all if there are none.
    """

    key: str
    name: str
    description: str
    kind: str
    options: list[LabelOption]
    is_scale: bool
    pattern: str
    categories: list[str]


class TaxonomyOut(Schema):
    """`version` is the SHA-256 of the prompt version, which contains the taxonomy."""

    version: str
    categories: list[LabelOption]
    sentiments: list[LabelOption]
    attributes: list[AttributeOut]


class ModelOut(Schema):
    """`roles`: "primary", "second_opinion", "front". A model with `missing_key` cannot be used until its key is set."""

    id: int
    name: str
    provider: str
    kind: str
    family: str
    learns: bool
    roles: list[str]
    missing_key: bool


class ModelsOut(Schema):
    """`answering` is the model that labels tickets now: the primary, or its stand-in."""

    answering: str
    items: list[ModelOut]


@router.get(
    "/taxonomy",
    response=TaxonomyOut,
    summary="Read the taxonomy",
    **requires(Scope.TAXONOMY_READ, "classifier.view_ticket"),
)
def read_taxonomy(request: ApiRequest) -> Any:
    """The active categories, sentiments and attributes, with their descriptions and examples."""
    version = ContractVersion.objects.current()
    axes = {axis: getattr(version.terms, axis) for axis in ("categories", "sentiments", "attributes")}
    return {"version": version.digest} | axes


@router.get(
    "/models", response=ModelsOut, summary="List models", **requires(Scope.MODELS_READ, "classifier.view_ticket")
)
def list_models(request: ApiRequest) -> Any:
    """The configured models and their roles."""
    gate = Gate.current()
    language_models = LanguageModel.objects.select_related("provider")
    return {
        "answering": gate.active_primary().name,
        "items": [_model(language_model, gate) for language_model in language_models],
    }


def _model(language_model: LanguageModel, gate: Gate) -> dict[str, Any]:
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
