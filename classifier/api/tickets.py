"""API operations that store, list and read tickets and their predictions."""

from collections import Counter
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
        description=f"1 to {MAX_BULK_ROWS:,}. Invalid rows don't affect the others.",
    )


class BulkRowResult(Schema):
    """The outcome for a row, counted from 0: "stored", "existing" or "rejected"."""

    index: int
    outcome: str
    id: int | None = None
    url: str | None = None
    errors: list[dict[str, str]] | None = None


class BulkTicketsOut(Schema):
    stored: int
    existing: int
    rejected: int
    results: list[BulkRowResult]


class TicketFilter(Schema):
    state: Ticket.State | None = None
    source: StorableString | None = Field(None, max_length=50)
    since: UtcDatetime | None = Field(None, description="Received at this time or later; needs a time zone.")


class PredictionsOut(Schema):
    """Empty while the ticket is sealed, that is until every reviewer who labels it blind has answered."""

    sealed: bool
    items: list[PredictionOut]


@router.post(
    "/tickets", response={201: StoredTicket, 200: StoredTicket}, summary="Store a ticket", url_name="tickets", **_writes
)
@idempotent
def create_ticket(request: ApiRequest, body: TicketIn, response: HttpResponse) -> Any:
    """201 for a new ticket, 200 if it exists already, 409 if it exists with a different text. It is classified in the
    background: poll it, or subscribe to a webhook.
    """
    (result,) = storing.store([body.row()])
    if not result.same_text:
        raise Problem(409, TEXT_CONFLICT, slug="text-conflict")
    response["Location"] = ticket_url(result.ticket.pk)
    return Status(201 if result.created else 200, stored_ticket(result.ticket))


@router.post("/tickets/bulk", response=BulkTicketsOut, summary="Store many tickets", **_writes)
@idempotent
def create_tickets(request: ApiRequest, body: BulkTicketsIn) -> Any:
    """Each row is stored or rejected on its own; `results` lists the outcomes in the order of the rows."""
    parsed = [_parse(row) for row in body.tickets]
    stored = iter(storing.store([ticket.row() for ticket in parsed if isinstance(ticket, TicketIn)]))
    results = [
        {"index": index} | (_outcome(next(stored)) if isinstance(parsed_row, TicketIn) else _rejected(parsed_row))
        for index, parsed_row in enumerate(parsed)
    ]
    counts = Counter(result["outcome"] for result in results)
    return {outcome: counts[outcome] for outcome in ("stored", "existing", "rejected")} | {"results": results}


@router.get("/tickets", response=Page[TicketSummary], summary="List tickets", url_name="tickets", **_reads)
def list_tickets(
    request: ApiRequest, response: HttpResponse, filters: Annotated[TicketFilter, Query()], params: PageQuery
) -> Any:
    """Newest first, without their full texts."""
    lookups = {"source": filters.source, "received_at__gte": filters.since}
    tickets = Ticket.objects.filter(**{name: value for name, value in lookups.items() if value is not None})
    if filters.state:
        tickets = tickets.in_visible_state(filters.state)
    return paginate(request, response, params, for_list(tickets), ticket_summaries)


@router.get("/tickets/{int:pk}", response=TicketOut, summary="Read a ticket", url_name="ticket", **_reads)
def read_ticket(request: ApiRequest, pk: int) -> Any:
    """The ticket with its text, state and label."""
    return ticket_out(get_object_or_404(with_current_verdicts(Ticket.objects.select_related("whole_message")), pk=pk))


@router.get("/tickets/{int:pk}/predictions", response=PredictionsOut, summary="List a ticket's predictions", **_reads)
def list_predictions(request: ApiRequest, pk: int) -> Any:
    """The latest 100, oldest first."""
    ticket = get_object_or_404(Ticket.objects.defer("text"), pk=pk)
    if ticket.sealed:
        return {"sealed": True, "items": []}
    latest = ticket.predictions.select_related("language_model", "sentiment").order_by("-pk")[:100]
    return {"sealed": False, "items": predictions_out(list(reversed(latest)))}


def _parse(row: Any) -> TicketIn | list[dict[str, str]]:
    """The ticket, or its errors."""
    try:
        return TicketIn.model_validate(row)
    except pydantic.ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False)
        return [
            {"pointer": "".join(f"/{key}" for key in error["loc"]), "detail": field_message(error)} for error in errors
        ]


def _outcome(result: IngestResult) -> dict[str, Any]:
    if not result.same_text:
        return _rejected([{"pointer": "/external_id", "detail": TEXT_CONFLICT}])
    pk = result.ticket.pk
    return {"outcome": "stored" if result.created else "existing", "id": pk, "url": ticket_url(pk)}


def _rejected(errors: list[dict[str, str]]) -> dict[str, Any]:
    return {"outcome": "rejected", "errors": errors}
