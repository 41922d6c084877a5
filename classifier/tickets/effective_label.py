"""The label that counts of a ticket."""

from __future__ import annotations

from typing import NamedTuple

from classifier.models import Category, Prediction, Sentiment, Ticket
from classifier.models.verdict import current_verdict


class EffectiveLabel(NamedTuple):
    """A label; `prediction` is where models gave it, and None where people settled on it."""

    category: Category
    sentiment: Sentiment
    prediction: Prediction | None = None


def effective_label(ticket: Ticket) -> EffectiveLabel | None:
    """What people settled on, else what the current verdict is about; of a ticket that came `with_labels`.

    None while the ticket waits for a model, while it is sealed, and where there is no valid answer.
    """
    if ticket.state == Ticket.State.NEW or ticket.sealed:
        return None
    if ticket.category and ticket.sentiment:
        return EffectiveLabel(ticket.category, ticket.sentiment)
    prediction = verdict.prediction if (verdict := current_verdict(ticket)) else None
    return EffectiveLabel(prediction.category, prediction.sentiment, prediction) if prediction else None
