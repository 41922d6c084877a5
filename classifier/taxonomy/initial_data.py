"""Loads the first taxonomy, providers, models and gate of an installation."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from classifier.models import Category, Gate, LanguageModel, Provider, Sentiment

DATA = Path(__file__).parent.parent / "data"


@transaction.atomic(durable=True)
def load() -> None:
    """Add what is missing. Changes by admins stay."""
    _load_taxonomy(_read("taxonomy.json"))
    catalogue = _read("catalogue.json")
    for values in catalogue["providers"]:
        Provider.objects.get_or_create(name=values["name"], defaults=values)
    for values in catalogue["models"]:
        provider = Provider.objects.get(name=values["provider"])
        LanguageModel.objects.get_or_create(
            provider=provider, name=values["name"], defaults=values | {"provider": provider}
        )
    _load_gate(catalogue["gate"])


def _load_taxonomy(taxonomy: dict[str, Any]) -> None:
    """Load into an empty taxonomy only, so that labels deleted by an admin do not come back."""
    for model, options in ((Category, taxonomy["categories"]), (Sentiment, taxonomy["sentiments"])):
        if model._default_manager.exists():
            continue
        for position, option in enumerate(options, start=1):
            examples = "\n".join(option["examples"])
            model._default_manager.create(**option | {"examples": examples, "position": position})


def _load_gate(roles: dict[str, Any]) -> None:
    if not Gate.objects.exists():
        Gate.objects.create(
            pk=1,
            primary=LanguageModel.objects.get(name=roles["primary"]),
            second_opinion=LanguageModel.objects.get(name=roles["second_opinion"]),
            threshold=roles["threshold"],
        )


def _read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return values
