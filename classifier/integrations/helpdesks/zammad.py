"""Zammad: a trigger with a webhook on ticket creation, in its default payload, and the REST API. Pure.

https://admin-docs.zammad.org/en/latest/manage/webhook/payload.html
https://docs.zammad.org/en/latest/api/ticket/index.html
https://docs.zammad.org/en/latest/api/object.html
"""

from collections.abc import Iterator, Mapping
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

is_signed = is_signed_by_hub


def parse_event(payload: Mapping[str, Any]) -> InboundMessage | None:
    """The ticket's first article, if a customer wrote it."""
    ticket, article = value_at(payload, "ticket"), value_at(payload, "article")
    external_id, first = required_text_at(ticket, "id"), text_at(ticket, "article_count") in ("", "0", "1")
    if text_at(article, "sender") != "Customer" or not first or value_at(article, "internal") is True:
        return None
    if value_at(article, "preferences", "is-auto-response") is True:
        return None
    return InboundMessage(
        external_id=external_id,
        subject=text_at(ticket, "title"),
        body=text_at(article, "body"),
        is_html=text_at(article, "content_type").startswith("text/html"),
        customer=text_at(ticket, "customer", "email"),
        channel=text_at(article, "type"),
        received_at=parse_time(text_at(article, "created_at")),
    )


def update_request(access: ApiAccess, external_id: str, fields: Mapping[str, str]) -> Request:
    return access.request(
        "PUT",
        f"/api/v1/tickets/{quote_segment(external_id)}",
        dict(fields),
        {"Authorization": f"Token token={access.token}"},
    )


def options_request(access: ApiAccess, field: str) -> Request:
    return access.request(
        "GET", "/api/v1/object_manager_attributes", None, {"Authorization": f"Token token={access.token}"}
    )


def parse_options(payload: Any, field: str) -> list[tuple[str, ...]]:
    of_tickets = [attribute for attribute in listed(payload) if text_at(attribute, "object") == "Ticket"]
    return list(_options(value_at(item_with(of_tickets, "name", field), "data_option", "options"), ()))


def _options(options: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """An object of names by value, or a list of objects that may have children."""
    if isinstance(options, Mapping):
        yield from ((*above, str(name)) for name in options.values())
    for option in listed(options):
        path = (*above, text_at(option, "name"))
        yield path
        yield from _options(value_at(option, "children"), path)
