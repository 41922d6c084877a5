"""Zendesk: webhooks subscribed to "Ticket created", and the Ticketing API. Pure.

https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
https://developer.zendesk.com/documentation/webhooks/verifying/
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#show-ticket-field
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    ApiAccess,
    InboundMessage,
    basic_auth,
    equal_constant_time,
    hmac_digest,
    is_recent,
    listed,
    parse_time,
    quote_segment,
    required_text_at,
    text_at,
    value_at,
)

CREATED = "zen:event-type:ticket.created"


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    at = headers.get("X-Zendesk-Webhook-Signature-Timestamp", "")
    expected = base64.b64encode(hmac_digest(secret, at.encode() + body, "sha256")).decode()
    return equal_constant_time(headers.get("X-Zendesk-Webhook-Signature", ""), expected) and is_recent(parse_time(at))


def parse_event(payload: Mapping[str, Any]) -> InboundMessage | None:
    if required_text_at(payload, "type") != CREATED:
        return None
    return InboundMessage(
        external_id=required_text_at(payload, "detail", "id"),
        subject=text_at(payload, "detail", "subject"),
        body=text_at(payload, "detail", "description"),
        customer=text_at(payload, "detail", "requester_id"),
        channel=text_at(payload, "detail", "via", "channel"),
        received_at=parse_time(text_at(payload, "detail", "created_at")),
    )


def update_request(access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
    """Zendesk identifies custom fields by number."""
    values = [{"id": int(name) if name.isdecimal() else name, "value": value} for name, value in fields.items()]
    return access.request(
        "PUT",
        f"/api/v2/tickets/{quote_segment(external_id)}.json",
        {"ticket": {"custom_fields": values}},
        {"Authorization": basic_auth(f"{access.account}/token", access.token)},
    )


def options_request(access: ApiAccess, field: str) -> Request:
    return access.request(
        "GET",
        f"/api/v2/ticket_fields/{quote_segment(field)}.json",
        None,
        {"Authorization": basic_auth(f"{access.account}/token", access.token)},
    )


def parse_options(payload: Any, field: str) -> list[tuple[str, ...]]:
    """Zendesk nests options by "::" in their names."""
    options = value_at(payload, "ticket_field", "custom_field_options")
    return [tuple(text_at(option, "name").split("::")) for option in listed(options)]
