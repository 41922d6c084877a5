"""Builds what webhooks and help desks receive about tickets: never the text, and no label while a ticket is sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from classifier.models import Category, Ticket
from classifier.models.verdict import with_current_verdicts
from classifier.tickets.effective_label import effective_label
from classifier.tickets.further_categories import FurtherCategories


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPayload:
    """A ticket and its label, which is None if there is none or the ticket is sealed. `category` is a full path.

    The label is the reviewers' if the ticket is settled, else a model's; only a model's has a `confidence`.
    """

    ticket: int
    source: str
    external_id: str | None
    state: str
    sealed: bool
    category: str | None = None
    further_categories: Sequence[str] = ()
    sentiment: str | None = None
    confidence: float | None = None
    model: str | None = None

    def event_data(self) -> dict[str, Any]:
        return asdict(self) | {"url": settings.SITE_URL + reverse("classifier:ticket", args=[self.ticket])}


def _label(ticket: Ticket, names: Mapping[int, str], further: FurtherCategories) -> dict[str, Any]:
    label = effective_label(ticket)
    if label is None:
        return {}
    prediction = label.prediction
    values = {
        "category": names[label.category.pk],
        "further_categories": further.names(label.further_categories, label.category.pk),
        "sentiment": label.sentiment.name,
    }
    if prediction is None:
        return values
    return values | {"confidence": prediction.confidence, "model": prediction.answered_by}


def ticket_payloads(pks: Sequence[int]) -> list[TicketPayload]:
    """The current payloads of these tickets, ordered by key (three queries, four if one has further categories)."""
    names = Category.objects.paths()
    tickets = list(with_current_verdicts(Ticket.objects.all()).defer("text").filter(pk__in=pks).order_by("pk"))
    further = FurtherCategories(label.further_categories for ticket in tickets if (label := effective_label(ticket)))
    return [
        TicketPayload(
            ticket=ticket.pk,
            source=ticket.source,
            external_id=ticket.external_id,
            state=ticket.visible_state,
            sealed=ticket.sealed,
            **_label(ticket, names, further),
        )
        for ticket in tickets
    ]
