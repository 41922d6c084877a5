"""API operation that classifies texts while the caller waits, up to a deadline."""

from collections.abc import Sequence
from typing import Any, Self

from django.http import HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field, model_validator

from classifier.api.authentication import ApiRequest, requires
from classifier.api.fields import RequestSchema, TicketIn, TicketText
from classifier.api.idempotency import PARAMETER, idempotent
from classifier.api.payloads import TEXT_CONFLICT, AttributesOut, StoredTicket, stored_ticket
from classifier.api.problems import Problem
from classifier.ingest import storing
from classifier.ingest.storing import TextConflict
from classifier.models import ContractVersion, Gate, Reason, Ticket
from classifier.models.api_keys import Scope
from classifier.models.verdict import current_verdict, with_current_verdicts
from classifier.pipeline import sync_classification
from classifier.pipeline.sync_classification import DeadlineExceeded, QueueFull
from classifier.pipeline.unstored import PrimaryPaused
from classifier.pipeline.verdict_summary import verdict_summaries

router = Router(tags=["Classify"])

MAX_TEXTS = 64
DEADLINE_MS, MIN_DEADLINE_MS, MAX_DEADLINE_MS = 10_000, 50, 60_000


_REASONS = (
    f"One of {', '.join(reason for reason in Reason.values if reason != Reason.CONFIDENT)}; null without a review."
)


class ClassifyIn(RequestSchema):
    """One `text`, or up to 64 `tickets`."""

    text: TicketText | None = Field(None, examples=["My invoice #9922 has the wrong tax rate."])
    tickets: list[TicketIn] | None = Field(None, min_length=1, max_length=MAX_TEXTS)
    store: bool = Field(True, description="False: classify without storing anything.")
    deadline_ms: int = Field(
        DEADLINE_MS,
        ge=MIN_DEADLINE_MS,
        le=MAX_DEADLINE_MS,
        description="After this, the response is 202 and classification continues in the background.",
    )

    @model_validator(mode="after")
    def _text_or_tickets(self) -> Self:
        if (self.text is None) == (self.tickets is None):
            raise ValueError("Give either text or tickets.")
        return self

    def inputs(self) -> list[TicketIn]:
        return self.tickets or [TicketIn.model_validate({"text": self.text})]

    @property
    def seconds(self) -> float:
        return self.deadline_ms / 1_000


class SecondOpinion(Schema):
    category: str
    further_categories: list[str]
    sentiment: str
    confidence: float
    reasoning: str
    attributes: AttributesOut
    model: str


class Classification(Schema):
    """A model's label for a text. Fields are null until there is a label; `error` says why there isn't one.

    `review_flag` is true if a person needs to review it: `review_reason` says why, and `fallback_review` is the second
    opinion.
    """

    category: str | None = None
    further_categories: list[str] | None = None
    sentiment: str | None = None
    confidence: float | None = None
    reasoning: str | None = None
    attributes: AttributesOut | None = None
    review_flag: bool | None = None
    review_reason: str | None = Field(None, description=_REASONS)
    fallback_review: SecondOpinion | None = None
    model: str | None = None
    latency_ms: float | None = None
    error: str | None = None
    ticket: StoredTicket | None = Field(None, description="Null if nothing is stored.")


class ClassifyOut(Schema):
    """One result per text, in order."""

    results: list[Classification]


@router.post(
    "/classify",
    response={200: ClassifyOut, 202: ClassifyOut},
    summary="Classify a text or a batch",
    **requires(Scope.CLASSIFY, "classifier.add_ticket", parameters=[PARAMETER]),
)
@idempotent
def classify_texts(request: ApiRequest, body: ClassifyIn, response: HttpResponse) -> Any:
    """Stores each text as a ticket, once per source and external id, and sends it to review if the gate says so. 202
    means that some tickets missed the deadline and are classified in the background: poll `ticket.url`.

    The response shows model labels even for tickets that reviewers label blind. Give this scope only to systems that
    keep the labels from them.
    """
    gate, version = Gate.current(), ContractVersion.objects.current()
    if not body.store:
        return {"results": _classify_without_storing(body, gate, version)}
    stored = _store(body.inputs())
    created = list({result.ticket.pk: result.ticket for result in stored if result.created}.values())
    if created:
        sync_classification.classify_tickets(created, gate, seconds=body.seconds)
    results = _results([result.ticket.pk for result in stored])
    if all(result["ticket"]["state"] != Ticket.State.NEW for result in results):
        return Status(200, {"results": results})
    response["Retry-After"] = "1"
    return Status(202, {"results": results})


def _classify_without_storing(body: ClassifyIn, gate: Gate, version: ContractVersion) -> list[dict[str, Any]]:
    try:
        verdicts = sync_classification.classify_texts(
            [storing.classified_text(ticket.row()) for ticket in body.inputs()], gate, version, seconds=body.seconds
        )
    except DeadlineExceeded:
        late = f"No answer within {body.deadline_ms:,} ms. Set a later deadline, or store the text and poll."
        raise Problem(504, late, slug="deadline") from None
    except QueueFull:
        busy = "Too many requests are being classified. Try again later, or store the text and poll."
        raise Problem(503, busy, slug="busy", headers={"Retry-After": "1"}) from None
    except PrimaryPaused as paused:
        raise Problem(503, str(paused), slug="model-paused", headers={"Retry-After": "15"}) from None
    return verdict_summaries(verdicts)


def _store(tickets: Sequence[TicketIn]) -> list[storing.IngestResult]:
    try:
        return storing.store([ticket.row() for ticket in tickets], claimed=True)
    except TextConflict as conflict:
        errors = [{"in": "body", "pointer": f"/tickets/{index}", "detail": TEXT_CONFLICT} for index in conflict.indexes]
        raise Problem(409, f"{TEXT_CONFLICT} Nothing was stored.", slug="text-conflict", errors=errors) from None


def _results(pks: Sequence[int]) -> list[dict[str, Any]]:
    """The current state of these tickets (four queries)."""
    tickets = with_current_verdicts(Ticket.objects.all()).defer("text").in_bulk(pks)
    stored = [tickets[pk] for pk in pks if pk in tickets]
    summaries = verdict_summaries([current_verdict(ticket) for ticket in stored])
    return [{"ticket": stored_ticket(ticket)} | summary for ticket, summary in zip(stored, summaries, strict=True)]
