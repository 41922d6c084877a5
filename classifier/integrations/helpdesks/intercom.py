"""Intercom: the topic conversation.user.created, and the Conversations API. Pure.

https://developers.intercom.com/docs/references/webhooks/webhook-models
https://developers.intercom.com/docs/webhooks/setting-up-webhooks (signed notifications)
https://developers.intercom.com/docs/references/2.11/rest-api/api.intercom.io/conversations/updateconversation
https://developers.intercom.com/docs/references/2.11/rest-api/api.intercom.io/data-attributes/lisdataattributes
"""

from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    ApiAccess,
    InboundMessage,
    is_signed_by_hub,
    item_with,
    listed,
    parse_time,
    quote_segment,
    required_text_at,
    text_at,
    value_at,
)

CREATED = "conversation.user.created"
PEOPLE = {"user", "lead", "contact"}
VERSION = "2.11"

is_signed = is_signed_by_hub


def parse_event(payload: Mapping[str, Any]) -> InboundMessage | None:
    """The conversation's `source`, if a person wrote it."""
    if required_text_at(payload, "topic") != CREATED:
        return None
    item = value_at(payload, "data", "item")
    # Its name before version 2.0 of the API, which an app may still use.
    source = value_at(item, "source") or value_at(item, "conversation_message")
    if text_at(source, "author", "type") not in PEOPLE:
        return None
    return InboundMessage(
        external_id=required_text_at(item, "id"),
        subject=text_at(source, "subject"),
        body=text_at(source, "body"),
        is_html=True,
        customer=text_at(source, "author", "email") or text_at(source, "author", "id"),
        channel=text_at(source, "type"),
        received_at=parse_time(value_at(item, "created_at")),
    )


def update_request(access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
    return access.request(
        "PUT",
        f"/conversations/{quote_segment(external_id)}",
        {"custom_attributes": dict(fields)},
        {"Authorization": f"Bearer {access.token}", "Intercom-Version": VERSION},
    )


def options_request(access: ApiAccess, field: str) -> Request:
    return access.request(
        "GET",
        "/data_attributes?model=conversation",
        None,
        {"Authorization": f"Bearer {access.token}", "Intercom-Version": VERSION},
    )


def parse_options(payload: Any, field: str) -> list[tuple[str, ...]]:
    """Later versions of the API list objects with a label or value."""
    attribute = item_with(value_at(payload, "data"), "name", field)
    options = listed(value_at(attribute, "options")) or listed(value_at(attribute, "list_options"))
    return [(text_at(option, "label") or text_at(option, "value") or str(option),) for option in options]
