"""Tickets: stored once each, read, listed; and what models said of one."""

from typing import Annotated, Any

import pydantic
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field, WithJsonSchema

from classifier.api.authentication import ApiRequest, requires
from classifier.api.fields import RequestSchema, StorableString, TicketIn, UtcDatetime
from classifier.api.idempotency import PARAMETER, idempotent
from classifier.api.pagination import Page, PageQuery, paginate
from classifier.api.payloads import (
    TEXT_CONFLICT,
    PredictionOut,
    StoredTicket,
    TicketOut,
    TicketSummary,
    for_list,
    predictions_out,
    stored_ticket,
    ticket_out,
    ticket_summaries,
    ticket_url,
)
from classifier.api.problems import Problem, field_message
from classifier.ingest import storing
from classifier.ingest.storing import IngestResult
from classifier.models import Ticket
from classifier.models.api_keys import Scope
from classifier.models.verdict import with_current_verdicts

router = Router(tags=["Tickets"])

MAX_BULK_ROWS = 1_000
_reads = requires(Scope.TICKETS_READ, "classifier.view_ticket")
_writes = requires(Scope.TICKETS_WRITE, "classifier.add_ticket", parameters=[PARAMETER])


class BulkTicketsIn(RequestSchema):
    tickets: list[Annotated[Any, WithJsonSchema(TicketIn.model_json_schema())]] = Field(
        min_length=1,
        max_length=MAX_BULK_ROWS,
        description=f"1 to {MAX_BULK_ROWS:,}; those that are wrong do not hinder the others.",
    )


class BulkRowResult(Schema):
    """What became of a row, by its place from 0: "stored", "known" (it stood there already) or "refused"."""

    index: int
    outcome: str
    id: int | None = None
    url: str | None = None
    errors: list[dict[str, str]] | None = None


class BulkTicketsOut(Schema):
    stored: int
    known: int
    refused: int
    results: list[BulkRowResult]


class TicketFilter(Schema):
    """Which tickets; what is left out does not narrow."""

    state: Ticket.State | None = None
    source: StorableString | None = Field(None, max_length=50)
    since: UtcDatetime | None = Field(None, description="Received then or later; a moment with its zone.")


class PredictionsOut(Schema):
    """Of a sealed ticket nothing is told until everyone asked has answered."""

    sealed: bool
    items: list[PredictionOut]


@router.post(
    "/tickets", response={201: StoredTicket, 200: StoredTicket}, summary="Store a ticket", url_name="tickets", **_writes
)
@idempotent
def create_ticket(request: ApiRequest, body: TicketIn, response: HttpResponse) -> Any:
    """201 for a new ticket, 200 for one that stood there already, 409 where its text was another one. It is classified
    in the background: read it, or be told by a webhook.
    """
    (taken,) = storing.store_each([body.row()])
    if not taken.same:
        raise Problem(409, TEXT_CONFLICT, slug="other-text")
    response["Location"] = ticket_url(taken.ticket.pk)
    return Status(201 if taken.fresh else 200, stored_ticket(taken.ticket))


@router.post("/tickets/bulk", response=BulkTicketsOut, summary="Store many tickets", **_writes)
@idempotent
def create_tickets(request: ApiRequest, body: BulkTicketsIn) -> Any:
    """Each row is stored, known or refused on its own; `results` says which, in the order of the rows."""
    checked = [_checked(row) for row in body.tickets]
    taken = iter(storing.store_each([one.row() for one in checked if isinstance(one, TicketIn)]))
    results = [
        {"index": index} | (_outcome(next(taken)) if isinstance(one, TicketIn) else _refused(one))
        for index, one in enumerate(checked)
    ]
    numbers = [sum(one["outcome"] == outcome for one in results) for outcome in ("stored", "known", "refused")]
    return {**dict(zip(("stored", "known", "refused"), numbers, strict=True)), "results": results}


@router.get("/tickets", response=Page[TicketSummary], summary="List tickets", url_name="tickets", **_reads)
def list_tickets(
    request: ApiRequest, response: HttpResponse, wanted: Annotated[TicketFilter, Query()], turn: PageQuery
) -> Any:
    """Newest first, without their texts."""
    named = {"state": wanted.state, "source": wanted.source, "received_at__gte": wanted.since}
    tickets = Ticket.objects.filter(**{name: value for name, value in named.items() if value is not None})
    return paginate(request, response, turn, for_list(tickets), ticket_summaries)


@router.get("/tickets/{int:pk}", response=TicketOut, summary="Read a ticket", url_name="ticket", **_reads)
def read_ticket(request: ApiRequest, pk: int) -> Any:
    """With its text, its state and the label that counts."""
    return ticket_out(get_object_or_404(with_current_verdicts(Ticket.objects.all()), pk=pk))


@router.get("/tickets/{int:pk}/predictions", response=PredictionsOut, summary="What models said of a ticket", **_reads)
def list_predictions(request: ApiRequest, pk: int) -> Any:
    """The latest hundred, oldest first."""
    ticket = get_object_or_404(Ticket.objects.defer("text"), pk=pk)
    if ticket.sealed:
        return {"sealed": True, "items": []}
    latest = ticket.predictions.select_related("language_model", "sentiment").order_by("-pk")[:100]
    return {"sealed": False, "items": predictions_out(reversed(latest))}


def _checked(row: Any) -> TicketIn | list[dict[str, str]]:
    """The ticket, or what is wrong with it."""
    try:
        return TicketIn.model_validate(row)
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return [{"pointer": "".join(f"/{part}" for part in one["loc"]), "detail": field_message(one)} for one in found]


def _outcome(taken: IngestResult) -> dict[str, Any]:
    if not taken.same:
        return _refused([{"pointer": "/external_id", "detail": TEXT_CONFLICT}])
    return {"outcome": "stored" if taken.fresh else "known", "id": taken.ticket.pk, "url": ticket_url(taken.ticket.pk)}


def _refused(errors: list[dict[str, str]]) -> dict[str, Any]:
    return {"outcome": "refused", "errors": errors}
