"""Stores tickets from help-desk events, each once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from classifier.ingest import message_text, quotes, storing
from classifier.ingest.moments import received_or_now
from classifier.integrations.helpdesks.base import InboundMessage, NotAnEvent
from classifier.integrations.helpdesks.chats import is_greeting
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.models import HelpDesk, Ticket
from classifier.text import LONGEST_TICKET, storable

CHAT_PAUSE = timedelta(seconds=20)
"""How long a chat waits for further messages before it is classified."""


def store_event(help_desk: HelpDesk, payload: Any) -> bool:
    """Store the customer's message. Returns whether the event had one. Raises NotAnEvent."""
    if not isinstance(payload, Mapping):
        raise NotAnEvent("it is not a JSON object")
    message = ADAPTERS[help_desk.kind].parse_event(payload)
    row = _ticket_values(message) if message else None
    if message is None or row is None or (message.is_chat and is_greeting(row["text"])):
        return False
    if message.is_chat:
        row["available_at"] = Now() + CHAT_PAUSE
    (result,) = storing.store([row | {"source": help_desk.slug}])
    if message.is_chat and not result.same_text:
        _continue_chat(result.ticket, row["text"])
    return True


def _continue_chat(ticket: Ticket, text: str) -> None:
    """Add a further message to a chat that has not been classified, unless it is there already."""
    if text not in ticket.text.split("\n\n"):
        storing.replace_text(ticket, f"{ticket.text}\n\n{text}"[:LONGEST_TICKET])


def _ticket_values(message: InboundMessage) -> dict[str, Any] | None:
    """A row to store, shortened to fit the fields of a ticket; None if the message is empty."""
    body = message_text.html_to_text(message.body) if message.is_html else message_text.plain_text(message.body)
    texts = quotes.ticket_texts(message.subject, body)
    if len(message.external_id) > _max_length("external_id"):
        raise NotAnEvent("the ticket's id is too long")
    if not texts["text"].strip():
        return None
    names = ("customer", "channel", "language")
    return {
        **texts,
        "external_id": storable(message.external_id),
        "received_at": received_or_now(message.received_at),
        **{name: storable(getattr(message, name))[: _max_length(name)] for name in names},
    }


def _max_length(name: str) -> int:
    field: Any = Ticket._meta.get_field(name)
    return int(field.max_length)
