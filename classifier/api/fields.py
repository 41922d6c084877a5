"""Field types of request bodies: validated, and safe to store."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field

from classifier.ingest.storing import validated_text
from classifier.text import LONGEST_TICKET, storable


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _ticket_text(value: str) -> str:
    try:
        return validated_text(value)
    except ValidationError as error:
        raise ValueError(error.message) from error


def _written(value: Any) -> Any:
    """Numbers are refused, since pydantic would read them as seconds since 1970."""
    if not isinstance(value, str) or re.fullmatch(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*", value):
        raise ValueError("Give a date and time such as 2026-01-31T14:05:00Z.")
    return value


def _utc(value: datetime) -> datetime:
    if not 1900 <= value.year <= 2999:
        raise ValueError("Give a year between 1900 and 2999.")
    return value.astimezone(UTC)


StorableString = Annotated[str, BeforeValidator(_storable)]
"""NUL and lone surrogates, which databases cannot store, become U+FFFD."""

TicketText = Annotated[StorableString, AfterValidator(_ticket_text), Field(min_length=1, max_length=LONGEST_TICKET)]
UtcDatetime = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_utc)]
"""Needs a time zone; converted to UTC."""


class RequestSchema(Schema):
    """A request body. Unknown fields are errors, since they may be misspelt."""

    model_config = ConfigDict(extra="forbid")


class TicketIn(RequestSchema):
    """A customer's message. `source` and `external_id` together identify the ticket."""

    text: TicketText = Field(examples=["My invoice #9922 has the wrong tax rate."])
    source: StorableString = Field("api", min_length=1, max_length=50, examples=["zendesk"])
    external_id: StorableString | None = Field(None, min_length=1, max_length=200, examples=["35436"])
    customer: StorableString = Field("", max_length=254, examples=["jo@example.org"])
    channel: StorableString = Field("", max_length=40, examples=["email"])
    language: StorableString = Field("", max_length=20, examples=["en"])
    received_at: UtcDatetime | None = Field(None, description="With a time zone. Default: now.")
    due_at: UtcDatetime | None = None

    def row(self) -> dict[str, Any]:
        """Keyword arguments of a Ticket."""
        return self.model_dump(exclude_none=True)
