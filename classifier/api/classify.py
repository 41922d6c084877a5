"""Classify now: the sender waits for the answer, up to a deadline."""

from collections.abc import Sequence
from typing import Any, Self

from django.http import HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field, model_validator

from classifier.api.authentication import ApiRequest, requires
from classifier.api.fields import RequestSchema, TicketIn, TicketText
from classifier.api.idempotency import PARAMETER, idempotent
from classifier.api.payloads import TEXT_CONFLICT, StoredTicket, stored_ticket
from classifier.api.problems import Problem
from classifier.ingest import storing
from classifier.ingest.storing import TextConflict
from classifier.models import Category, ContractVersion, Gate, Reason, Ticket, Verdict
from classifier.models.api_keys import Scope
from classifier.models.verdict import current_verdict, with_current_verdicts
from classifier.pipeline import sync_classification
from classifier.pipeline.sync_classification import DeadlineExceeded
from classifier.pipeline.verdict_summary import verdict_summary

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
    store: bool = Field(True, description="False: only answer, and store nothing.")
    deadline_ms: int = Field(
        DEADLINE_MS,
        ge=MIN_DEADLINE_MS,
        le=MAX_DEADLINE_MS,
        description="Past it the work goes on, and the answer is 202.",
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.text is None) == (self.tickets is None):
            raise ValueError("Give one text, or tickets; not both.")
        return self

    def given(self) -> list[TicketIn]:
        return self.tickets or [TicketIn.model_validate({"text": self.text})]

    @property
    def seconds(self) -> float:
        return self.deadline_ms / 1_000


class SecondOpinion(Schema):
    """What a second model said."""

    category: str
    sentiment: str
    confidence: float
    reasoning: str
    model: str


class Classification(Schema):
    """What a model said of a text; all null while that is not known yet. `error` tells why there is no label.

    `review_flag` is true where a person should look, or will: `review_reason` says why, and `fallback_review` is a
    second model's opinion then.
    """

    category: str | None = None
    sentiment: str | None = None
    confidence: float | None = None
    reasoning: str | None = None
    review_flag: bool | None = None
    review_reason: str | None = Field(None, description=_REASONS)
    fallback_review: SecondOpinion | None = None
    model: str | None = None
    latency_ms: float | None = None
    error: str | None = None
    ticket: StoredTicket | None = Field(None, description="Null where nothing is stored.")


class ClassifyOut(Schema):
    """One result a text, in order."""

    results: list[Classification]


@router.post(
    "/classify",
    response={200: ClassifyOut, 202: ClassifyOut},
    summary="Classify one text or a batch now",
    **requires(Scope.CLASSIFY, "classifier.add_ticket", parameters=[PARAMETER]),
)
@idempotent
def classify_texts(request: ApiRequest, body: ClassifyIn, response: HttpResponse) -> Any:
    """The texts are stored as tickets, each once per source and external id, and go to people where the gate says so.
    202 tells that some are not done by the deadline: they go on in the background, and `ticket.url` tells of them.

    The caller is told what models say, also of tickets that people are to judge without knowing it: give this scope
    to systems that keep it from those people.
    """
    gate, version = Gate.current(), ContractVersion.objects.current()
    if not body.store:
        return {"results": _instantly(body, gate, version)}
    tickets = _received(body.given())
    fresh = list({one.ticket.pk: one.ticket for one in tickets if one.fresh}.values())
    if fresh:
        sync_classification.classify_tickets(fresh, gate, seconds=body.seconds)
    results = _results([one.ticket.pk for one in tickets])
    if all(one["ticket"]["state"] != Ticket.State.NEW for one in results):
        return Status(200, {"results": results})
    response["Retry-After"] = "1"
    return Status(202, {"results": results})


def _instantly(body: ClassifyIn, gate: Gate, version: ContractVersion) -> list[dict[str, Any]]:
    try:
        verdicts = sync_classification.classify_texts(
            [one.text for one in body.given()], gate, version, seconds=body.seconds
        )
    except DeadlineExceeded:
        late = f"There was no answer within {body.deadline_ms:,} ms. Allow more, or store the text and ask later."
        raise Problem(504, late, slug="deadline") from None
    names = Category.objects.paths()
    return [verdict_summary(verdict, names) for verdict in verdicts]


def _received(given: Sequence[TicketIn]) -> list[storing.IngestResult]:
    try:
        return storing.store_each([one.row() for one in given], claimed=True)
    except TextConflict as others:
        errors = [{"in": "body", "pointer": f"/tickets/{place}", "detail": TEXT_CONFLICT} for place in others.places]
        raise Problem(409, f"{TEXT_CONFLICT} Nothing is stored.", slug="other-text", errors=errors) from None


def _results(pks: Sequence[int]) -> list[dict[str, Any]]:
    """What stands of these tickets now (four queries)."""
    names = Category.objects.paths()
    tickets = {
        ticket.pk: ticket for ticket in with_current_verdicts(Ticket.objects.all()).defer("text").filter(pk__in=pks)
    }
    return [
        {"ticket": stored_ticket(tickets[pk])} | _summary(current_verdict(tickets[pk]), names)
        for pk in pks
        if pk in tickets
    ]


def _summary(verdict: Verdict | None, names: dict[int, str]) -> dict[str, Any]:
    return verdict_summary(verdict, names) if verdict else {}
