"""Serializes tickets and predictions for the API. A sealed ticket has no label, and needs review whatever
the gate decided.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from django.urls import reverse
from ninja import Schema
from pydantic import Field

from classifier.models import Prediction, Ticket, WholeMessage
from classifier.models.ticket import TicketQuerySet
from classifier.models.verdict import with_current_verdicts
from classifier.tickets.effective_label import effective_label
from classifier.tickets.label_reader import LabelReader

TEXT_CONFLICT = "A ticket with this source and external id exists with a different text."
_EXCERPT = 120


AttributesOut = Annotated[
    dict[str, bool | str | list[str]],
    Field(description="Answers by the attribute's key; GET /taxonomy lists attributes and their options."),
]


class LabelOut(Schema):
    """The label that counts: of people where the ticket is settled, else of a model. While the ticket needs review it
    is only a suggestion.
    """

    category: str
    further_categories: list[str]
    sentiment: str
    by: str
    confidence: float | None = None
    attributes: AttributesOut


class TicketSummary(Schema):
    """`excerpt` is the start of the text; `label` is null if there is none or the ticket is sealed."""

    id: int
    url: str
    source: str
    external_id: str | None
    excerpt: str
    customer: str
    channel: str
    language: str
    received_at: datetime
    due_at: datetime | None
    state: str
    sealed: bool
    label: LabelOut | None


class TicketOut(TicketSummary):
    """`text` is what is classified; `whole_message` has what an e-mail also quotes, or is empty."""

    text: str
    whole_message: str


class PredictionOut(Schema):
    id: int
    model: str
    category: str
    further_categories: list[str]
    sentiment: str
    confidence: float
    reasoning: str
    attributes: AttributesOut
    latency_ms: float
    created_at: datetime


class StoredTicket(Schema):
    id: int
    url: str
    source: str
    external_id: str | None
    state: str


def ticket_url(ticket_pk: int) -> str:
    return reverse("api:ticket", args=[ticket_pk])


def stored_ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.pk,
        "url": ticket_url(ticket.pk),
        "source": ticket.source,
        "external_id": ticket.external_id,
        "state": ticket.visible_state,
    }


def for_list(tickets: TicketQuerySet) -> TicketQuerySet:
    """With what `ticket_summaries` needs, and only the start of each text."""
    return with_current_verdicts(tickets).with_excerpts()


def ticket_summaries(tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    reader = LabelReader([label for ticket in tickets if (label := effective_label(ticket))])
    return [_summary(ticket, reader) | {"excerpt": ticket.excerpt(_EXCERPT)} for ticket in tickets]


def ticket_out(ticket: Ticket) -> dict[str, Any]:
    [summary] = ticket_summaries([ticket])
    whole: WholeMessage | None = getattr(ticket, "whole_message", None)
    return summary | {"text": ticket.text, "whole_message": whole.text if whole else ""}


def predictions_out(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    reader = LabelReader(predictions)
    return [
        {
            "id": prediction.pk,
            "model": prediction.model_name,
            **reader.values(prediction),
            "confidence": round(prediction.confidence, 4),
            "reasoning": prediction.reasoning,
            "latency_ms": round(prediction.latency_ms, 1),
            "created_at": prediction.created_at,
        }
        for prediction in predictions
    ]


def _summary(ticket: Ticket, reader: LabelReader) -> dict[str, Any]:
    fields = ("customer", "channel", "language", "received_at", "due_at", "sealed")
    values = {name: getattr(ticket, name) for name in fields}
    return stored_ticket(ticket) | {"label": _label(ticket, reader)} | values


def _label(ticket: Ticket, reader: LabelReader) -> dict[str, Any] | None:
    label = effective_label(ticket)
    if label is None:
        return None
    values = reader.values(label)
    if label.prediction is None:
        return values | {"by": "people"}
    return values | {"by": "model", "confidence": round(label.prediction.confidence, 4)}
