"""API operations that record and list decisions."""

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
from classifier.api.payloads import AttributesOut
from classifier.api.problems import Problem, invalid_values
from classifier.contract.attributes import accepted_answers
from classifier.contract.further_categories import MOST
from classifier.models import Category, ContractVersion, Sentiment, Ticket
from classifier.models.api_keys import Scope
from classifier.tickets.attribute_values import AttributeReader
from classifier.tickets.further_categories import FurtherCategories
from review.models import Assignment, Decision
from review.models.decision import LONGEST_NOTE
from review.workflow import external_decisions
from review.workflow.decision_records import Label
from review.workflow.decisions import TooLate

router = Router(tags=["Decisions"])

_reads = requires(Scope.DECISIONS_READ, "review.view_decision")
_KEYS = UUID("8a3bb4d7-9d3e-4f0c-9a53-0d5ab0a5d3a1")
"""Namespace for turning an Idempotency-Key into a decision's key."""


class DecisionIn(RequestSchema):
    """A label, by the full names in the taxonomy, and answers to attributes by their keys."""

    ticket: int = Field(ge=1, le=2**63 - 1)
    category: StorableString = Field(max_length=500, examples=["Billing"])
    further_categories: list[StorableString] = Field([], max_length=MOST)
    sentiment: StorableString = Field(max_length=80, examples=["Negative"])
    attributes: dict[str, bool | StorableString | list[StorableString]] = Field(
        {}, max_length=100, examples=[{"priority": "High"}]
    )
    note: StorableString = Field("", max_length=LONGEST_NOTE)
    suggestion_shown: bool = Field(False, description="Whether the person saw the model's label before deciding.")


class DecisionOut(Schema):
    """`verdict`: accepted, corrected, skipped, escalated or undone; labelled as long as the ticket is sealed. The label
    is null if none was given.
    """

    id: int
    ticket: int
    reviewer: str
    created_at: datetime
    verdict: str
    purpose: str
    blind: bool
    category: str | None
    further_categories: list[str]
    sentiment: str | None
    attributes: AttributesOut
    note: str
    undoes: int | None


class DecisionsOut(Schema):
    """Empty while the ticket is sealed, that is until every reviewer who labels it blind has answered."""

    sealed: bool
    items: list[DecisionOut]


class DecisionFilter(Schema):
    since: UtcDatetime | None = Field(None, description="Made at this time or later; needs a time zone.")


@router.get("/decisions", response=Page[DecisionOut], summary="List decisions", url_name="decisions", **_reads)
def list_decisions(
    request: ApiRequest, response: HttpResponse, filters: Annotated[DecisionFilter, Query()], params: PageQuery
) -> Any:
    """Newest first, without decisions on sealed tickets."""
    decisions = Decision.objects.filter(ticket__sealed=False).with_labels()
    if filters.since:
        decisions = decisions.filter(created_at__gte=filters.since)
    return paginate(request, response, params, decisions, _decisions)


@router.get("/tickets/{int:pk}/decisions", response=DecisionsOut, summary="List a ticket's decisions", **_reads)
def list_decisions_of(request: ApiRequest, pk: int) -> Any:
    """The latest 100, oldest first."""
    ticket = get_object_or_404(Ticket.objects.defer("text"), pk=pk)
    decisions = Decision.objects.none() if ticket.sealed else Decision.objects.filter(ticket=ticket)
    latest = list(decisions.with_labels().order_by("-pk")[:100])
    return {"sealed": ticket.sealed, "items": _decisions(latest[::-1])}


@router.post(
    "/decisions",
    response={201: DecisionOut},
    summary="Record a decision",
    url_name="decisions",
    **requires(Scope.DECISIONS_WRITE, "review.add_decision", parameters=[PARAMETER]),
)
@idempotent
def create_decision(request: ApiRequest, body: DecisionIn) -> Any:
    """Records the decision as the key's user. 409 if the ticket needs no review or someone else has it open."""
    ticket = get_object_or_404(Ticket.objects.defer("text"), pk=body.ticket)
    try:
        decision = external_decisions.decide(
            ticket,
            request.user,
            _label(body),
            suggestion_shown=body.suggestion_shown,
            key=_key(request),
            note=body.note.strip(),
        )
    except TooLate as late:
        raise Problem(409, _too_late(late), slug="too-late") from None
    stored = Decision.objects.with_labels().select_related("ticket").defer("ticket__text").get(pk=decision.pk)
    # Whether a blind label agrees with the model's, and whether it is an audit, stays hidden as long as the answer.
    hidden = {"verdict": "labelled", "purpose": Assignment.Purpose.REVIEW} if stored.ticket.sealed else {}
    return _decisions([stored])[0] | hidden


def _key(request: ApiRequest) -> UUID:
    name = request.headers.get(HEADER)
    return uuid5(_KEYS, f"{request.auth.pk} {name}") if name else uuid4()


def _label(body: DecisionIn) -> Label:
    """Raises Problem for names that are not in the active taxonomy."""
    names = {name: pk for pk, name in Category.objects.active().paths().items()}
    sentiment = Sentiment.objects.active().filter(name=body.sentiment).first()
    unknown = {
        "category": body.category not in names,
        "further_categories": not names.keys() >= set(body.further_categories),
        "sentiment": sentiment is None,
    }
    errors = [
        {"in": "body", "pointer": f"/{axis}", "detail": "Unknown label; GET /taxonomy lists them."}
        for axis, missing in unknown.items()
        if missing
    ]
    attributes, refused = _attributes(body)
    errors += [
        {
            "in": "body",
            "pointer": f"/attributes/{key}",
            "detail": "No answer to an attribute; see GET /taxonomy.",
        }
        for key in refused
    ]
    if errors or sentiment is None:
        raise invalid_values(errors)
    further = [names[name] for name in body.further_categories]
    return Label(Category.objects.get(pk=names[body.category]), sentiment, attributes, further)


def _attributes(body: DecisionIn) -> tuple[dict[str, Any], list[str]]:
    """The answers as they are stored, and the keys of those that the attributes don't take."""
    if not body.attributes:
        return {}, []
    asked = ContractVersion.objects.current().terms.attributes
    return accepted_answers(body.attributes, asked, body.category)


def _too_late(late: TooLate) -> str:
    if late.final_decision:
        return f"Ticket {late.ticket.pk} already has the label {late.final_decision.label}."
    return f"Ticket {late.ticket.pk} isn't available: someone has it open, or it needs no review."


def _decisions(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    names, reader = Category.objects.paths(), AttributeReader(decision.attributes for decision in decisions)
    further = FurtherCategories(decision.further_categories for decision in decisions)
    return [
        {
            "id": decision.pk,
            "ticket": decision.ticket_id,
            "reviewer": decision.reviewer.get_username(),
            "category": names[decision.category_id] if decision.category_id else None,
            "further_categories": further.names(decision.further_categories, decision.category_id),
            "sentiment": decision.sentiment.name if decision.sentiment else None,
            "attributes": reader.typed(decision.attributes),
            "undoes": decision.undoes_id,
            **{name: getattr(decision, name) for name in ("created_at", "verdict", "purpose", "blind", "note")},
        }
        for decision in decisions
    ]
