"""What the API tells of tickets and of what models said. Of a sealed ticket it tells nothing of that."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models.functions import Left
from django.urls import reverse
from ninja import Schema

from classifier.models import Category, Prediction, Ticket
from classifier.models.ticket import TicketQuerySet
from classifier.models.verdict import with_current_verdicts
from classifier.text import excerpt
from classifier.tickets.effective_label import effective_label

TEXT_CONFLICT = "There is a ticket of this source and external id, and its text is another one."
_HEAD, _EXCERPT = 1_000, 120


class LabelOut(Schema):
    """Of a settled ticket what people said, else what models said; of one that is held it is a suggestion."""

    category: str
    sentiment: str
    by: str
    confidence: float | None = None


class TicketSummary(Schema):
    """A ticket in a list. `excerpt` is how its text begins; `label` is null where there is none, or none to be told."""

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
    text: str


class PredictionOut(Schema):
    """What a model answered."""

    id: int
    model: str
    category: str
    sentiment: str
    confidence: float
    reasoning: str
    latency_ms: float
    created_at: datetime


class StoredTicket(Schema):
    """A ticket that is stored now."""

    id: int
    url: str
    source: str
    external_id: str | None
    state: str


def ticket_url(ticket_pk: int) -> str:
    return reverse("api:ticket", args=[ticket_pk])


def stored_ticket(ticket: Ticket) -> dict[str, Any]:
    told = ("source", "external_id", "state")
    return {"id": ticket.pk, "url": ticket_url(ticket.pk)} | {name: getattr(ticket, name) for name in told}


def for_list(tickets: TicketQuerySet) -> TicketQuerySet:
    """With all that is told of them in lists, of their texts no more than the head."""
    return with_current_verdicts(tickets).defer("text").annotate(head=Left("text", _HEAD))


def ticket_summaries(tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    names = Category.objects.paths()
    return [_row(ticket, names) | {"excerpt": excerpt(vars(ticket)["head"], _EXCERPT)} for ticket in tickets]


def ticket_out(ticket: Ticket) -> dict[str, Any]:
    return _row(ticket, Category.objects.paths()) | {"text": ticket.text, "excerpt": ticket.excerpt(_EXCERPT)}


def predictions_out(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    names = Category.objects.paths()
    return [
        {
            "id": said.pk,
            "model": said.language_model.name,
            "category": names[said.category_id],
            "sentiment": said.sentiment.name,
            "confidence": round(said.confidence, 4),
            "reasoning": said.reasoning,
            "latency_ms": round(said.latency_ms, 1),
            "created_at": said.created_at,
        }
        for said in predictions
    ]


def _row(ticket: Ticket, names: dict[int, str]) -> dict[str, Any]:
    told = ("source", "external_id", "customer", "channel", "language", "received_at", "due_at", "state", "sealed")
    return {
        "id": ticket.pk,
        "url": ticket_url(ticket.pk),
        "label": _label(ticket, names),
        **{name: getattr(ticket, name) for name in told},
    }


def _label(ticket: Ticket, names: dict[int, str]) -> dict[str, Any] | None:
    label = effective_label(ticket)
    if label is None:
        return None
    by = label.prediction
    named = {"category": names[label.category.pk], "sentiment": label.sentiment.name}
    return named | ({"by": "model", "confidence": round(by.confidence, 4)} if by else {"by": "people"})
