"""Contracts (prompt and answer schema), each stored once, so that every prediction names its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.contract import prompt, types
from classifier.models import asked_attributes
from classifier.models.taxonomy import Category, Sentiment, paths


class EmptyTaxonomy(Exception):
    """No category or no sentiment is active; the message says what to do."""


class Labels(NamedTuple):
    """Primary keys by the names that a contract offers."""

    categories: dict[str, int]
    sentiments: dict[str, int]


class ContractVersionQuerySet(models.QuerySet["ContractVersion"]):
    def current(self) -> "ContractVersion":
        """The contract for the current taxonomy and instructions, stored if it is new (seven queries, and three more if
        there are attributes). Raises EmptyTaxonomy.
        """
        category_names = paths(categories := list(Category.objects.active()))
        sentiments = list(Sentiment.objects.active())
        if not categories or not sentiments:
            raise EmptyTaxonomy(
                _("The taxonomy needs at least one active category and one active sentiment; add them in the admin.")
            )
        by_pk = {category.pk: category for category in categories}
        instructions, further = _gate_settings()
        return self.get_or_create_for(
            [(pk, by_pk[pk].option(name)) for pk, name in category_names.items()],
            [(sentiment.pk, sentiment.option(sentiment.name)) for sentiment in sentiments],
            instructions=instructions,
            further=further,
        )

    def get_or_create_for(
        self, categories: "KeyedOptions", sentiments: "KeyedOptions", *, instructions: str = "", further: bool = False
    ) -> "ContractVersion":
        """The contract that offers these labels and the active attributes, stored if it is new. Labels of a draft may
        have no key yet. `further` asks for further categories.
        """
        attributes = asked_attributes.current({pk: option.name for pk, option in categories if pk})
        labels = _known(Category, categories), _known(Sentiment, sentiments)
        terms = prompt.contract_for(*labels, instructions, asked_attributes.terms(attributes), further=further)
        options: dict[str, Any] = {
            "categories": _stored(categories),
            "sentiments": _stored(sentiments),
            "instructions": instructions,
        }
        options |= {"attributes": attributes} if attributes else {}
        options |= {"further_categories": True} if further else {}
        version, _created = self.get_or_create(
            digest=terms.digest,
            defaults={"system_prompt": terms.system_prompt, "answer_schema": terms.answer_schema, "options": options},
        )
        if version.options != options:
            # The same wording with different keys, for example once a drafted label is published.
            version.options = options
            version.save(update_fields=["options"])
        version.terms, version.labels = terms, Labels(_keys(categories), _keys(sentiments))
        return version


class ContractVersion(models.Model):
    digest = models.CharField(_("digest"), max_length=64, unique=True, help_text=_("SHA-256 of prompt and schema."))
    system_prompt = models.TextField(_("system prompt"))
    answer_schema = models.JSONField(_("answer schema"))
    options = models.JSONField(default=dict, help_text="Per axis: key, name, description and examples of each label.")
    created_at = models.DateTimeField(_("in force since"), auto_now_add=True)

    objects = ContractVersionQuerySet.as_manager()

    terms: types.Contract
    labels: Labels
    """Only on what `in_force`, `worded` and `restored` return: the contract as classifiers take it, and the keys behind
    its names.
    """

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.digest[:12]

    def loaded(self) -> "ContractVersion":
        """This version with `terms` and `labels`, ready for new requests. Raises ValueError if only its wording was
        stored.
        """
        if not self.options:
            raise ValueError(f"Contract {self} has only its wording, so models can't be asked under it.")
        categories, sentiments = _restored(self.options["categories"]), _restored(self.options["sentiments"])
        self.terms = prompt.contract_for(
            _known(Category, categories),
            _known(Sentiment, sentiments),
            self.options["instructions"],
            asked_attributes.terms(self.options.get("attributes", [])),
            further=self.options.get("further_categories", False),
        )
        self.labels = Labels(_keys(categories), _keys(sentiments))
        return self


KeyedOption = tuple[int | None, types.Option]
"""A label as it is offered, with its primary key, if it has one yet."""

KeyedOptions = Sequence[KeyedOption]


def _known(model: type[Category] | type[Sentiment], options: Sequence[KeyedOption]) -> list[types.Option]:
    """The options with all keys that models may have learned them by (one query)."""
    merged: dict[int, list[int]] = {}
    gone = model._default_manager.filter(merged_into__isnull=False).order_by("pk")
    for label in gone.only("merged_into"):
        merged.setdefault(int(label.merged_into_id or 0), []).append(label.pk)
    return [replace(option, keys=(pk, *merged.get(pk, []))) if pk else option for pk, option in options]


def _gate_settings() -> tuple[str, bool]:
    """The instructions that an admin set, empty for the built-in ones, and whether further categories are asked for."""
    gate = apps.get_model("classifier", "Gate")  # by name, for its module refers to this one
    return gate._default_manager.filter(pk=1).values_list("instructions", "further_categories").first() or ("", False)


def _stored(options: Sequence[KeyedOption]) -> list[list[Any]]:
    return [[pk, option.name, option.description, list(option.examples)] for pk, option in options]


def _restored(rows: Sequence[Sequence[Any]]) -> list[KeyedOption]:
    return [
        (pk, types.Option(name=name, description=description, examples=tuple(examples)))
        for pk, name, description, examples in rows
    ]


def _keys(options: Sequence[KeyedOption]) -> dict[str, int]:
    return {option.name: pk for pk, option in options if pk is not None}
