"""Where tickets stand, in the words in which others are told: no text of theirs, and no label while one is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from classifier.models import Ticket

REVIEW = {
    Ticket.State.NEW: "waiting",
    Ticket.State.ACCEPTED: "accepted",
    Ticket.State.HELD: "needs_review",
    Ticket.State.SETTLED: "decided",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A ticket as others are told of it; `category` and the rest are None where there is none, or it is sealed.

    The label is what people settled on, else what the models said; only then there is a `confidence` and a `model`.
    """

    ticket: int
    source: str
    external_id: str | None
    review: str
    sealed: bool
    category: str | None = None
    sentiment: str | None = None
    confidence: float | None = None
    model: str | None = None

    @classmethod
    def of(cls, ticket: Ticket) -> Told:
        """Of a ticket that came `with_labels`."""
        return cls(
            ticket=ticket.pk,
            source=ticket.source,
            external_id=ticket.external_id,
            review=REVIEW[Ticket.State(ticket.state)],
            sealed=ticket.sealed,
            **_label(ticket),
        )

    def data(self) -> dict[str, Any]:
        """As an event has it."""
        return asdict(self) | {"url": settings.SITE_URL + reverse("classifier:ticket", args=[self.ticket])}


def _label(ticket: Ticket) -> dict[str, Any]:
    if ticket.sealed or ticket.state == Ticket.State.NEW:
        return {}
    if ticket.category and ticket.sentiment:
        return {"category": ticket.category.name, "sentiment": ticket.sentiment.name}
    said = ticket.verdict.prediction if ticket.verdict else None
    if said is None:
        return {}
    label = {"category": said.category.name, "sentiment": said.sentiment.name}
    return label | {"confidence": said.confidence, "model": said.language_model.name}


def tickets(pks: Sequence[int]) -> list[Told]:
    """In the order of their keys (two queries, whatever the number)."""
    return [Told.of(ticket) for ticket in Ticket.objects.with_labels().defer("text").filter(pk__in=pks).order_by("pk")]
