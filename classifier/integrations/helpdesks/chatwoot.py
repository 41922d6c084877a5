"""Chatwoot: the event message_created, and the Application API. Pure.

https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks
https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook (the secret, and what is signed with it)
https://developers.chatwoot.com/api-reference/conversations/update-custom-attributes
"""

from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    Access,
    Message,
    digest,
    is_recent,
    moment,
    needed,
    part,
    quoted,
    same,
    words,
)

CREATED = "message_created"


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    at = headers.get("X-Chatwoot-Timestamp", "")
    expected = "sha256=" + digest(secret, f"{at}.".encode() + body, "sha256").hex()
    return same(headers.get("X-Chatwoot-Signature", ""), expected) and is_recent(moment(at))


def read(payload: Mapping[str, Any]) -> Message | None:
    """A conversation's first message that a customer wrote: later ones find the conversation stored."""
    if needed(payload, "event") != CREATED or words(payload, "message_type") != "incoming":
        return None
    if part(payload, "private") is True:
        return None
    conversation = part(payload, "conversation")
    more = part(conversation, "additional_attributes")
    return Message(
        external_id=needed(conversation, "id"),
        subject=words(more, "mail_subject"),
        body=words(payload, "content"),
        customer=words(payload, "sender", "email") or words(payload, "sender", "id"),
        channel=words(conversation, "channel").removeprefix("Channel::").lower(),
        language=words(more, "browser_language"),
        received_at=moment(part(payload, "created_at")),
    )


def write(access: Access, external_id: str, fields: Mapping[str, str]) -> Request:
    """Before version 4.18 Chatwoot does not know `merge`, and drops the attributes that are not named."""
    return access.request(
        "POST",
        f"/api/v1/accounts/{quoted(access.account)}/conversations/{quoted(external_id)}/custom_attributes",
        {"custom_attributes": dict(fields), "merge": True},
        {"api_access_token": access.token},
    )
