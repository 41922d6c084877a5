"""Where tickets stand, in the words in which others are told: no text of theirs, and no label while one is sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from classifier.models import Category, Ticket
from classifier.models.verdict import with_current_verdicts
from classifier.tickets.effective_label import effective_label


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPayload:
    """A ticket as others are told of it; `category` (its full path) and the rest are None where there is none, or it is
    sealed.

    The label is what people settled on, else what the models said; only then there is a `confidence` and a `model`.
    """

    ticket: int
    source: str
    external_id: str | None
    state: str
    sealed: bool
    category: str | None = None
    sentiment: str | None = None
    confidence: float | None = None
    model: str | None = None

    @classmethod
    def of(cls, ticket: Ticket, names: Mapping[int, str]) -> TicketPayload:
        """Of a ticket that came `with_labels`; `names` are the paths of the categories by key."""
        return cls(
            ticket=ticket.pk,
            source=ticket.source,
            external_id=ticket.external_id,
            state=ticket.state,
            sealed=ticket.sealed,
            **_label(ticket, names),
        )

    def data(self) -> dict[str, Any]:
        """As an event has it."""
        return asdict(self) | {"url": settings.SITE_URL + reverse("classifier:ticket", args=[self.ticket])}


def _label(ticket: Ticket, names: Mapping[int, str]) -> dict[str, Any]:
    label = effective_label(ticket)
    if label is None:
        return {}
    by = label.prediction
    named = {"category": names[label.category.pk], "sentiment": label.sentiment.name}
    return named | ({"confidence": by.confidence, "model": by.language_model.name} if by else {})


def ticket_payloads(pks: Sequence[int]) -> list[TicketPayload]:
    """In the order of their keys (three queries, whatever the number)."""
    names = Category.objects.paths()
    rows = with_current_verdicts(Ticket.objects.all()).defer("text").filter(pk__in=pks).order_by("pk")
    return [TicketPayload.of(ticket, names) for ticket in rows]
