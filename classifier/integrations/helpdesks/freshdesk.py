"""Freshdesk: the action "Trigger webhook" of a rule that runs on ticket creation, and API v2. Pure.

Freshdesk does not sign webhooks. It sends basic authentication with any user name and the secret as the password.

https://support.freshdesk.com/support/solutions/articles/132589-using-webhooks-in-automation-rules
https://developers.freshdesk.com/api/#update_ticket
https://developers.freshdesk.com/api/#list_all_ticket_fields
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.request import Request

from classifier.integrations.helpdesks.base import (
    ApiAccess,
    InboundMessage,
    NotAnEvent,
    basic_auth,
    basic_auth_password,
    equal_constant_time,
    item_with,
    parse_time,
    quote_segment,
    required_text_at,
    text_at,
    value_at,
)


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    return equal_constant_time(basic_auth_password(headers.get("Authorization", "")), secret)


def parse_event(payload: Mapping[str, Any]) -> InboundMessage | None:
    ticket = value_at(payload, "freshdesk_webhook")
    if not isinstance(ticket, Mapping):
        raise NotAnEvent("freshdesk_webhook is missing")
    return InboundMessage(
        external_id=required_text_at(ticket, "ticket_id"),
        subject=text_at(ticket, "ticket_subject"),
        body=text_at(ticket, "ticket_description"),
        is_html=True,
        customer=text_at(ticket, "ticket_contact_email") or text_at(ticket, "ticket_requester_email"),
        channel=text_at(ticket, "ticket_source").lower(),
        received_at=parse_time(text_at(ticket, "ticket_created_at")),
    )


def update_request(access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
    return access.request(
        "PUT",
        f"/api/v2/tickets/{quote_segment(external_id)}",
        {"custom_fields": dict(fields)},
        {"Authorization": basic_auth(access.token, "X")},
    )


def options_request(access: ApiAccess, field: str) -> Request:
    return access.request("GET", "/api/v2/ticket_fields", None, {"Authorization": basic_auth(access.token, "X")})


def parse_options(payload: Any, field: str) -> list[tuple[str, ...]]:
    return list(_options(value_at(item_with(payload, "name", field), "choices"), ()))


def _options(choices: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Nested fields have an object of choices at each level but the last, which has a list."""
    for choice in choices if isinstance(choices, list | dict) else []:
        option = (*above, str(choice))
        yield option
        yield from _options(choices[choice] if isinstance(choices, dict) else None, option)
