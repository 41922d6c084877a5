"""Contracts as they were in force: stored once each, so that every prediction names its own."""

from __future__ import annotations

from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier import contract, prompt

from .taxonomy import Category, Sentiment, paths


class EmptyTaxonomy(Exception):
    """There is no category or no sentiment to choose from; the message says what to do."""


class Labels(NamedTuple):
    """Primary keys by the names that a contract offers."""

    categories: dict[str, int]
    sentiments: dict[str, int]


class ContractVersionQuerySet(models.QuerySet["ContractVersion"]):
    def in_force(self) -> ContractVersion:
        """The contract under the taxonomy as it is now, stored if it is new (two queries, one more to store).

        Raises EmptyTaxonomy.
        """
        category_names = paths(categories := list(Category.objects.active()))
        sentiments = list(Sentiment.objects.active())
        if not categories or not sentiments:
            raise EmptyTaxonomy(
                _("The taxonomy needs at least one active category and one active sentiment; add them in the admin.")
            )
        by_pk = {category.pk: category for category in categories}
        terms = prompt.contract_for(
            [by_pk[pk].option(name) for pk, name in category_names.items()],
            [sentiment.option(sentiment.name) for sentiment in sentiments],
        )
        version, _created = self.get_or_create(
            digest=terms.digest,
            defaults={"system_prompt": terms.system_prompt, "answer_schema": terms.answer_schema},
        )
        version.terms = terms
        version.labels = Labels(
            {name: pk for pk, name in category_names.items()},
            {sentiment.name: sentiment.pk for sentiment in sentiments},
        )
        return version


class ContractVersion(models.Model):
    digest = models.CharField(_("digest"), max_length=64, unique=True, help_text=_("SHA-256 of prompt and schema."))
    system_prompt = models.TextField(_("system prompt"))
    answer_schema = models.JSONField(_("answer schema"))
    created_at = models.DateTimeField(_("in force since"), auto_now_add=True)

    objects = ContractVersionQuerySet.as_manager()

    terms: contract.Contract
    labels: Labels
    """Both only on what `in_force` returns: the contract as classifiers take it, and the keys behind its names."""

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.digest[:12]
