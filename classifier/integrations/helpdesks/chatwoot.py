"""Chatwoot: the event message_created, and the Application API. Pure.

https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks
https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook (the secret, and what is signed with it)
https://developers.chatwoot.com/api-reference/conversations/update-custom-attributes
https://developers.chatwoot.com/api-reference/custom-attributes/list-all-custom-attributes-in-an-account
"""

from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    ApiAccess,
    InboundMessage,
    equal_constant_time,
    hmac_digest,
    is_recent,
    item_with,
    listed,
    parse_time,
    quote_segment,
    required_text_at,
    text_at,
    value_at,
)

CREATED = "message_created"


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    at = headers.get("X-Chatwoot-Timestamp", "")
    expected = "sha256=" + hmac_digest(secret, f"{at}.".encode() + body, "sha256").hex()
    return equal_constant_time(headers.get("X-Chatwoot-Signature", ""), expected) and is_recent(parse_time(at))


def parse_event(payload: Mapping[str, Any]) -> InboundMessage | None:
    """An incoming message."""
    if required_text_at(payload, "event") != CREATED or text_at(payload, "message_type") != "incoming":
        return None
    if value_at(payload, "private") is True:
        return None
    conversation = value_at(payload, "conversation")
    more = value_at(conversation, "additional_attributes")
    channel = text_at(conversation, "channel").removeprefix("Channel::").lower()
    return InboundMessage(
        external_id=required_text_at(conversation, "id"),
        subject=text_at(more, "mail_subject"),
        body=text_at(payload, "content"),
        customer=text_at(payload, "sender", "email") or text_at(payload, "sender", "id"),
        channel=channel,
        is_chat=channel != "email",
        language=text_at(more, "browser_language"),
        received_at=parse_time(value_at(payload, "created_at")),
    )


def update_request(access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
    """Chatwoot before 4.18 ignores `merge` and drops all other attributes."""
    return access.request(
        "POST",
        f"/api/v1/accounts/{quote_segment(access.account)}/conversations/{quote_segment(external_id)}/custom_attributes",
        {"custom_attributes": dict(fields), "merge": True},
        {"api_access_token": access.token},
    )


def options_request(access: ApiAccess, field: str) -> Request:
    return access.request(
        "GET",
        f"/api/v1/accounts/{quote_segment(access.account)}/custom_attribute_definitions?attribute_model=0",
        None,
        {"api_access_token": access.token},
    )


def parse_options(payload: Any, field: str) -> list[tuple[str, ...]]:
    options = value_at(item_with(payload, "attribute_key", field), "attribute_values")
    return [(str(option),) for option in listed(options)]
