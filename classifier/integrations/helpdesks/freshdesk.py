"""Freshdesk: the action "Trigger webhook" of a rule that runs on ticket creation, and API v2. Pure.

Freshdesk signs nothing; its webhooks can sign in, with any user name and the secret as the password.

https://support.freshdesk.com/support/solutions/articles/132589-using-webhooks-in-automation-rules
https://developers.freshdesk.com/api/#update_ticket
"""

from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    Access,
    Message,
    NotAnEvent,
    basic,
    moment,
    needed,
    part,
    password,
    quoted,
    same,
    words,
)


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    return same(password(headers.get("Authorization", "")), secret)


def read(payload: Mapping[str, Any]) -> Message | None:
    ticket = part(payload, "freshdesk_webhook")
    if not isinstance(ticket, Mapping):
        raise NotAnEvent("freshdesk_webhook is missing")
    return Message(
        external_id=needed(ticket, "ticket_id"),
        subject=words(ticket, "ticket_subject"),
        body=words(ticket, "ticket_description"),
        is_html=True,
        customer=words(ticket, "ticket_contact_email") or words(ticket, "ticket_requester_email"),
        channel=words(ticket, "ticket_source").lower(),
        received_at=moment(words(ticket, "ticket_created_at")),
    )


def write(access: Access, external_id: str, fields: Mapping[str, str]) -> Request:
    return access.request(
        "PUT",
        f"/api/v2/tickets/{quoted(external_id)}",
        {"custom_fields": dict(fields)},
        {"Authorization": basic(access.token, "X")},
    )
