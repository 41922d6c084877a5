"""Intercom: the topic conversation.user.created, and the Conversations API. Pure.

https://developers.intercom.com/docs/references/webhooks/webhook-models
https://developers.intercom.com/docs/webhooks/setting-up-webhooks (signed notifications)
https://developers.intercom.com/docs/references/2.11/rest-api/api.intercom.io/conversations/updateconversation
"""

from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    Access,
    Message,
    is_signed_by_hub,
    moment,
    needed,
    part,
    quoted,
    words,
)

CREATED = "conversation.user.created"
PEOPLE = {"user", "lead", "contact"}
VERSION = "2.11"

is_signed = is_signed_by_hub


def read(payload: Mapping[str, Any]) -> Message | None:
    """The message is the conversation's `source`; what no person wrote is none."""
    if needed(payload, "topic") != CREATED:
        return None
    item = part(payload, "data", "item")
    # What it was called before version 2.0 of the API, which an app may still be set to.
    source = part(item, "source") or part(item, "conversation_message")
    if words(source, "author", "type") not in PEOPLE:
        return None
    return Message(
        external_id=needed(item, "id"),
        subject=words(source, "subject"),
        body=words(source, "body"),
        is_html=True,
        customer=words(source, "author", "email") or words(source, "author", "id"),
        channel=words(source, "type"),
        received_at=moment(part(item, "created_at")),
    )


def write(access: Access, external_id: str, fields: Mapping[str, str]) -> Request:
    return access.request(
        "PUT",
        f"/conversations/{quoted(external_id)}",
        {"custom_attributes": dict(fields)},
        {"Authorization": f"Bearer {access.token}", "Intercom-Version": VERSION},
    )
