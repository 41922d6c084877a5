"""Zammad: a trigger with a webhook on ticket creation, in its default payload, and the REST API. Pure.

https://admin-docs.zammad.org/en/latest/manage/webhook/payload.html
https://docs.zammad.org/en/latest/api/ticket/index.html
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

is_signed = is_signed_by_hub


def read(payload: Mapping[str, Any]) -> Message | None:
    """The ticket's first article, if a customer wrote it."""
    ticket, article = part(payload, "ticket"), part(payload, "article")
    external_id, first = needed(ticket, "id"), words(ticket, "article_count") in ("", "0", "1")
    if words(article, "sender") != "Customer" or not first or part(article, "internal") is True:
        return None
    if part(article, "preferences", "is-auto-response") is True:
        return None
    return Message(
        external_id=external_id,
        subject=words(ticket, "title"),
        body=words(article, "body"),
        is_html=words(article, "content_type").startswith("text/html"),
        customer=words(ticket, "customer", "email"),
        channel=words(article, "type"),
        received_at=moment(words(article, "created_at")),
    )


def write(access: Access, external_id: str, fields: Mapping[str, str]) -> Request:
    return access.request(
        "PUT",
        f"/api/v1/tickets/{quoted(external_id)}",
        dict(fields),
        {"Authorization": f"Token token={access.token}"},
    )
