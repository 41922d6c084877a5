"""Values that come in through the API: checked, and as databases take them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field

from classifier.ingest.storing import validated_text
from classifier.text import LONGEST_TICKET, storable


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    try:
        return validated_text(value)
    except ValidationError as error:
        raise ValueError(error.message) from error


def _moment(value: datetime) -> datetime:
    if not 1900 <= value.year <= 2999:
        raise ValueError("A moment lies between the years 1900 and 2999.")
    return value.astimezone(UTC)


StorableString = Annotated[str, BeforeValidator(_storable)]
"""Without what no database stores: NUL and lone surrogates become U+FFFD."""

TicketText = Annotated[StorableString, AfterValidator(_text), Field(min_length=1, max_length=LONGEST_TICKET)]
UtcDatetime = Annotated[AwareDatetime, AfterValidator(_moment)]
"""With its zone; given on in UTC."""


class RequestSchema(Schema):
    """What comes in; a name that is not known is an error, for it may be a known one misspelt."""

    model_config = ConfigDict(extra="forbid")


class TicketIn(RequestSchema):
    """A message as it came. The same source and external id are the same ticket."""

    text: TicketText = Field(examples=["My invoice #9922 has the wrong tax rate."])
    source: StorableString = Field("api", min_length=1, max_length=50, examples=["zendesk"])
    external_id: StorableString | None = Field(None, min_length=1, max_length=200, examples=["35436"])
    customer: StorableString = Field("", max_length=254, examples=["jo@example.org"])
    channel: StorableString = Field("", max_length=40, examples=["email"])
    language: StorableString = Field("", max_length=20, examples=["en"])
    received_at: UtcDatetime | None = Field(None, description="With its zone. Left out: now.")
    due_at: UtcDatetime | None = None

    def row(self) -> dict[str, Any]:
        """Keyword arguments of a Ticket."""
        return self.model_dump(exclude_none=True)
