"""What people said of tickets, and saying it from another program."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field

from classifier.api.authentication import ApiRequest, requires
from classifier.api.fields import RequestSchema, StorableString, UtcDatetime
from classifier.api.idempotency import HEADER, PARAMETER, idempotent
from classifier.api.pagination import Page, PageQuery, paginate
from classifier.api.problems import Problem
from classifier.models import Category, Sentiment, Ticket
from classifier.models.api_keys import Scope
from review.models import Decision
from review.models.decision import LONGEST_NOTE
from review.workflow import external_decisions
from review.workflow.decision_records import Label
from review.workflow.decisions import TooLate

router = Router(tags=["Decisions"])

_reads = requires(Scope.DECISIONS_READ, "review.view_decision")
_KEYS = UUID("8a3bb4d7-9d3e-4f0c-9a53-0d5ab0a5d3a1")
"""From an Idempotency-Key to the key of a decision."""


class DecisionIn(RequestSchema):
    """Labels go by their full names, as the taxonomy lists them."""

    ticket: int = Field(ge=1, le=2**63 - 1)
    category: StorableString = Field(max_length=500, examples=["Billing"])
    sentiment: StorableString = Field(max_length=80, examples=["Negative"])
    note: StorableString = Field("", max_length=LONGEST_NOTE)
    seen: bool = Field(False, description="Whether the person knew what the model had said before they answered.")


class DecisionOut(Schema):
    """`verdict` is accepted, corrected, skipped, escalated or undone; the label is null where none was given."""

    id: int
    ticket: int
    reviewer: str
    created_at: datetime
    verdict: str
    purpose: str
    blind: bool
    category: str | None
    sentiment: str | None
    note: str
    undoes: int | None


class DecisionsOut(Schema):
    """Of a sealed ticket nothing is told until everyone asked has answered."""

    sealed: bool
    items: list[DecisionOut]


class DecisionFilter(Schema):
    since: UtcDatetime | None = Field(None, description="Made then or later; a moment with its zone.")


@router.get("/decisions", response=Page[DecisionOut], summary="List decisions", url_name="decisions", **_reads)
def list_decisions(
    request: ApiRequest, response: HttpResponse, wanted: Annotated[DecisionFilter, Query()], turn: PageQuery
) -> Any:
    """Newest first, without those on tickets that are sealed."""
    found = Decision.objects.filter(ticket__sealed=False).with_labels()
    if wanted.since:
        found = found.filter(created_at__gte=wanted.since)
    return paginate(request, response, turn, found, _told)


@router.get("/tickets/{int:pk}/decisions", response=DecisionsOut, summary="What people said of a ticket", **_reads)
def list_decisions_of(request: ApiRequest, pk: int) -> Any:
    """The latest hundred, oldest first."""
    ticket = get_object_or_404(Ticket.objects.defer("text"), pk=pk)
    told = Decision.objects.none() if ticket.sealed else Decision.objects.filter(ticket=ticket)
    latest = list(told.with_labels().order_by("-pk")[:100])
    return {"sealed": ticket.sealed, "items": _told(latest[::-1])}


@router.post(
    "/decisions",
    response={201: DecisionOut},
    summary="Decide about a ticket",
    url_name="decisions",
    **requires(Scope.DECISIONS_WRITE, "review.add_decision", parameters=[PARAMETER]),
)
@idempotent
def create_decision(request: ApiRequest, body: DecisionIn) -> Any:
    """In the name of the person whom the key acts as. 409 where nobody is asked about the ticket, any more or yet, or
    somebody else has it in hand.
    """
    ticket = get_object_or_404(Ticket.objects.defer("text"), pk=body.ticket)
    try:
        made = external_decisions.decide(
            ticket, request.user, _label(body), suggestion_shown=body.seen, key=_key(request), note=body.note.strip()
        )
    except TooLate as late:
        raise Problem(409, _too_late(late), slug="too-late") from None
    (told,) = _told([Decision.objects.with_labels().get(pk=made.pk)])
    return told


def _key(request: ApiRequest) -> UUID:
    name = request.headers.get(HEADER)
    return uuid5(_KEYS, f"{request.auth.pk} {name}") if name else uuid4()


def _label(body: DecisionIn) -> Label:
    """Raises Problem for names that are not in the taxonomy now."""
    names = {name: pk for pk, name in Category.objects.active().paths().items()}
    sentiment = Sentiment.objects.active().filter(name=body.sentiment).first()
    unknown = {"category": body.category not in names, "sentiment": sentiment is None}
    errors = [
        {"in": "body", "pointer": f"/{axis}", "detail": "The taxonomy has no such label; GET /taxonomy lists them."}
        for axis, missing in unknown.items()
        if missing
    ]
    if errors or sentiment is None:
        raise Problem(422, "Some values are missing or wrong; `errors` names each.", slug="invalid", errors=errors)
    return Label(Category.objects.get(pk=names[body.category]), sentiment)


def _too_late(late: TooLate) -> str:
    standing = late.standing
    told = f"Ticket {late.ticket.pk} has the label {standing.label} by now. " if standing else ""
    return f"{told}Nobody is asked about ticket {late.ticket.pk} now, or somebody else has it in hand."


def _told(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    names = Category.objects.paths()
    return [
        {
            "id": one.pk,
            "ticket": one.ticket_id,
            "reviewer": one.reviewer.get_username(),
            "category": names[one.category_id] if one.category_id else None,
            "sentiment": one.sentiment.name if one.sentiment else None,
            "undoes": one.undoes_id,
            **{name: getattr(one, name) for name in ("created_at", "verdict", "purpose", "blind", "note")},
        }
        for one in decisions
    ]
