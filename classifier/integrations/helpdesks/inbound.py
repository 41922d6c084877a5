"""A help desk tells of a ticket, which is stored once however often it tells."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from classifier.ingest import message_text, storing
from classifier.integrations.helpdesks.base import InboundMessage, NotAnEvent
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.models import HelpDesk, Ticket
from classifier.text import LONGEST_TICKET, storable


def store_event(desk: HelpDesk, payload: Any) -> bool:
    """Store what a customer wrote. Returns whether the event was about that, and had any text. Raises NotAnEvent."""
    if not isinstance(payload, Mapping):
        raise NotAnEvent("it is no JSON object")
    message = ADAPTERS[desk.kind].parse_event(payload)
    row = _ticket(message) if message else None
    if row is None:
        return False
    storing.store_many(desk.slug, [row])
    return True


def _ticket(message: InboundMessage) -> dict[str, Any] | None:
    """Keyword arguments of Ticket, cut to what its fields take; None where nothing was written."""
    body = message_text.html_to_text(message.body) if message.is_html else message_text.tidy_lines(message.body)
    text = message_text.with_subject(message.subject, body)[:LONGEST_TICKET]
    if len(message.external_id) > _length("external_id"):
        raise NotAnEvent("the ticket's id is too long")
    if not text.strip():
        return None
    cut = {name: storable(getattr(message, name))[: _length(name)] for name in ("customer", "channel", "language")}
    return {
        "external_id": storable(message.external_id),
        "text": text,
        "received_at": message.received_at or timezone.now(),
        **cut,
    }


def _length(name: str) -> int:
    field: Any = Ticket._meta.get_field(name)
    return int(field.max_length)
