"""The attributes that a contract asks about, as it stores them and as classifiers take them."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Prefetch

from classifier.contract.types import AttributeKind, AttributeTerms, Option
from classifier.models.attributes import Attribute, AttributeOption, lines

StoredAttribute = dict[str, Any]
"""An attribute as JSON: names as they were when the contract began."""


def current(category_names: Mapping[int, str]) -> list[StoredAttribute]:
    """The active attributes that can be asked about, in order; `category_names` are the offered categories by key.

    Left out are those of retired categories only, and those without an option (one query, or three if there are any).
    """
    options = Prefetch("options", AttributeOption.objects.active(), to_attr="offered")
    active = Attribute.objects.active().prefetch_related("categories", options)
    stored = [_stored(attribute, category_names) for attribute in active]
    return [attribute for attribute in stored if attribute is not None]


def _stored(attribute: Any, category_names: Mapping[int, str]) -> StoredAttribute | None:
    wanted = [category.pk for category in attribute.categories.all()]
    categories = [name for pk, name in category_names.items() if pk in wanted]
    if (wanted and not categories) or (attribute.has_options and not attribute.offered):
        return None
    return {
        "pk": attribute.pk,
        **{name: getattr(attribute, name) for name in ("key", "name", "kind", "description", "is_scale", "pattern")},
        "examples": list(lines(attribute.examples)),
        "counterexamples": list(lines(attribute.counterexamples)),
        "categories": categories,
        "options": [
            [option.pk, option.name, option.description, list(lines(option.examples))]
            for option in (attribute.offered if attribute.has_options else [])
        ],
    }


def terms(stored: Sequence[StoredAttribute]) -> tuple[AttributeTerms, ...]:
    """The attributes as classifiers take them (one query, or none without attributes)."""
    if not stored:
        return ()
    merged: dict[int, list[int]] = {}
    gone = AttributeOption.objects.filter(merged_into__isnull=False).order_by("pk")
    for pk, into in gone.values_list("pk", "merged_into"):
        merged.setdefault(into, []).append(pk)
    return tuple(_terms(values, merged) for values in stored)


def _terms(stored: StoredAttribute, merged: Mapping[int, Sequence[int]]) -> AttributeTerms:
    tuples = {name: tuple(stored[name]) for name in ("examples", "counterexamples", "categories")}
    options = tuple(
        Option(name=name, description=description, examples=tuple(examples), keys=(pk, *merged.get(pk, [])))
        for pk, name, description, examples in stored["options"]
    )
    return AttributeTerms(**stored | tuples | {"options": options, "kind": AttributeKind(stored["kind"])})
