"""The label that currently applies to a ticket."""

from collections.abc import Sequence
from typing import NamedTuple

from classifier.models import Category, Prediction, Sentiment, Ticket
from classifier.models.attributes import StoredAnswers
from classifier.models.verdict import current_verdict
from classifier.tickets.further_categories import FurtherCategories


class EffectiveLabel(NamedTuple):
    """A label, with the prediction it comes from (None if people settled on it)."""

    category: Category
    sentiment: Sentiment
    attributes: StoredAnswers
    prediction: Prediction | None = None
    settled_further: Sequence[int] = ()

    @property
    def category_id(self) -> int:
        return self.category.pk

    @property
    def further_categories(self) -> Sequence[int]:
        return self.prediction.further_categories if self.prediction else self.settled_further


def effective_label(ticket: Ticket) -> EffectiveLabel | None:
    """The label that people settled on, or else the current verdict's. Needs a ticket loaded with its current verdict.

    None while the ticket waits for a model or is sealed, and if no model gave a valid answer.
    """
    if ticket.state == Ticket.State.NEW or ticket.sealed:
        return None
    if ticket.category and ticket.sentiment:
        further = ticket.further_categories
        return EffectiveLabel(ticket.category, ticket.sentiment, ticket.attributes, settled_further=further)
    prediction = verdict.prediction if (verdict := current_verdict(ticket)) else None
    if prediction is None:
        return None
    return EffectiveLabel(prediction.category, prediction.sentiment, prediction.attributes, prediction)


def shown_further(ticket: Ticket) -> list[str]:
    """The names of the further categories that currently apply to a ticket; none if it is sealed (one query if there
    are any).
    """
    label = effective_label(ticket)
    return (
        FurtherCategories([label.further_categories]).names(label.further_categories, label.category_id)
        if label
        else []
    )


def shown_attributes(ticket: Ticket) -> StoredAnswers:
    """The stored answers to attributes that currently apply to a ticket; empty if there are none or it is sealed."""
    label = effective_label(ticket)
    return label.attributes if label else {}
