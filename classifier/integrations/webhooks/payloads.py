"""Builds what webhooks and help desks receive about tickets: never the text, and no label while a ticket is sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.urls import reverse

from classifier.contract.types import AttributeKind
from classifier.models import Category, Ticket
from classifier.models.verdict import with_current_verdicts
from classifier.tickets.attribute_values import AttributeReader
from classifier.tickets.effective_label import effective_label, shown_attributes
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
    attributes: dict[str, Any] = field(default_factory=dict)
    """Answers by the attribute's key, without texts, which are copied from the message."""

    def event_data(self) -> dict[str, Any]:
        values = asdict(self)
        if not self.attributes:
            del values["attributes"]
        return values | {"url": settings.SITE_URL + reverse("classifier:ticket", args=[self.ticket])}


def _label(
    ticket: Ticket, names: Mapping[int, str], further: FurtherCategories, reader: AttributeReader
) -> dict[str, Any]:
    label = effective_label(ticket)
    if label is None:
        return {}
    prediction = label.prediction
    answers = {
        answer.attribute.key: answer.value
        for answer in reader.answers(label.attributes)
        if answer.attribute.kind != AttributeKind.TEXT
    }
    values = {
        "category": names[label.category.pk],
        "further_categories": further.names(label.further_categories, label.category.pk),
        "sentiment": label.sentiment.name,
        "attributes": answers,
    }
    if prediction is None:
        return values
    return values | {"confidence": prediction.confidence, "model": prediction.model_name}


def ticket_payloads(pks: Sequence[int]) -> list[TicketPayload]:
    """The current payloads of these tickets, ordered by key (three queries, one more if one has further categories, and
    two more if one has attributes).
    """
    names = Category.objects.paths()
    tickets = list(with_current_verdicts(Ticket.objects.all()).defer("text").filter(pk__in=pks).order_by("pk"))
    further = FurtherCategories(label.further_categories for ticket in tickets if (label := effective_label(ticket)))
    reader = AttributeReader(map(shown_attributes, tickets))
    return [
        TicketPayload(
            ticket=ticket.pk,
            source=ticket.source,
            external_id=ticket.external_id,
            state=ticket.visible_state,
            sealed=ticket.sealed,
            **_label(ticket, names, further, reader),
        )
        for ticket in tickets
    ]
