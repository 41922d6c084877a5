"""Zendesk: webhooks subscribed to "Ticket created", and the Ticketing API. Pure.

https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
https://developer.zendesk.com/documentation/webhooks/verifying/
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    Access,
    Message,
    basic,
    digest,
    is_recent,
    moment,
    needed,
    quoted,
    same,
    words,
)

CREATED = "zen:event-type:ticket.created"


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    at = headers.get("X-Zendesk-Webhook-Signature-Timestamp", "")
    expected = base64.b64encode(digest(secret, at.encode() + body, "sha256")).decode()
    return same(headers.get("X-Zendesk-Webhook-Signature", ""), expected) and is_recent(moment(at))


def read(payload: Mapping[str, Any]) -> Message | None:
    if needed(payload, "type") != CREATED:
        return None
    return Message(
        external_id=needed(payload, "detail", "id"),
        subject=words(payload, "detail", "subject"),
        body=words(payload, "detail", "description"),
        customer=words(payload, "detail", "requester_id"),
        channel=words(payload, "detail", "via", "channel"),
        received_at=moment(words(payload, "detail", "created_at")),
    )


def write(access: Access, external_id: str, fields: Mapping[str, str]) -> Request:
    """Fields are named by their numbers."""
    values = [{"id": int(name) if name.isdecimal() else name, "value": value} for name, value in fields.items()]
    return access.request(
        "PUT",
        f"/api/v2/tickets/{quoted(external_id)}.json",
        {"ticket": {"custom_fields": values}},
        {"Authorization": basic(f"{access.account}/token", access.token)},
    )
