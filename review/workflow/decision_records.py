"""Builds and writes the rows of decisions; always part of a caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from classifier.contract.further_categories import MOST
from classifier.database.sql import columns, fetch_objects, fetch_rows, for_update, placeholders
from classifier.models import Category, Prediction, Sentiment, Ticket, Verdict
from classifier.models.attributes import StoredAnswers
from review.models import Assignment, Decision

Act = Decision.Verdict


class Label(NamedTuple):
    """What a person says of a ticket; `further` are the primary keys of further categories, None if they don't say."""

    category: Category
    sentiment: Sentiment
    attributes: StoredAnswers = {}
    further: Sequence[int] | None = None

    def is_of(self, prediction: Prediction) -> bool:
        return (self.category.pk, self.sentiment.pk) == (prediction.category_id, prediction.sentiment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a person saw when they answered; in a blind review `prediction` and `second_opinion` are None."""

    prediction: Prediction | None = None
    second_opinion: Prediction | None = None
    second_first: bool = False
    since: datetime | None = None


NOTHING_PRESENTED = Presented()


def lock_ticket(ticket_pk: int) -> Ticket:
    """Lock a ticket's row and return it without its text, which may be long. Raises Ticket.DoesNotExist."""
    sql = _TICKET.format(columns=columns(Ticket, without="text"), locked=for_update())
    for ticket, _nothing in fetch_objects(Ticket, sql, [ticket_pk], without="text"):
        return ticket
    raise Ticket.DoesNotExist


_TICKET = "SELECT {columns} FROM classifier_ticket WHERE id = %s{locked}"


def fetch_assignment(pk: int) -> Assignment:
    """The assignment as it is now. Raises Assignment.DoesNotExist."""
    for assignment, _nothing in fetch_objects(Assignment, _ASSIGNMENT.format(columns=columns(Assignment)), [pk]):
        return assignment
    raise Assignment.DoesNotExist


_ASSIGNMENT = "SELECT {columns} FROM review_assignment WHERE id = %s"


def lock_tickets(ticket_pks: Any) -> dict[int, Ticket]:
    """Lock several tickets, given as keys or a query of keys; by key, without their texts."""
    rows = Ticket.objects.select_for_update().defer("text").filter(pk__in=ticket_pks).order_by("pk")
    return {ticket.pk: ticket for ticket in rows}


def decision_for_key(key: UUID, reviewer: User) -> Decision | None:
    """The decision that this person already sent with this key, if any."""
    return Decision.objects.filter(key=key, reviewer=reviewer).first()


def build_decision(
    ticket: Ticket, assignment: Assignment, reviewer: User, verdict: Act, shown: Presented, *, key: UUID, **values: Any
) -> Decision:
    """An unsaved decision. It counts as blind only while the ticket is sealed: later anyone may have looked."""
    seconds = None
    if shown.since is not None:
        seconds = max((timezone.now() - shown.since).total_seconds(), 0.0)
    return Decision(
        ticket=ticket,
        assignment=assignment,
        reviewer=reviewer,
        verdict=verdict,
        key=key,
        prediction=shown.prediction,
        second_opinion=shown.second_opinion,
        second_first=shown.second_first,
        seconds=seconds,
        blind=assignment.blind and ticket.sealed,
        purpose=assignment.purpose,
        **values,
    )


def build_label_decision(
    ticket: Ticket, assignment: Assignment, reviewer: User, label: Label, shown: Presented, *, key: UUID, **values: Any
) -> Decision:
    """An unsaved label: accepted if category and sentiment equal the prediction's (also in a blind review), else
    corrected.
    """
    accepts = shown.prediction is not None and label.is_of(shown.prediction)
    verdict = Act.ACCEPTED if accepts else Act.CORRECTED
    values |= {"category": label.category, "sentiment": label.sentiment, "attributes": label.attributes}
    further = [pk for pk in dict.fromkeys(label.further or ()) if pk != label.category.pk][:MOST]
    return build_decision(ticket, assignment, reviewer, verdict, shown, key=key, further_categories=further, **values)


def build_undo(ticket: Ticket, decision: Decision, by: User, key: UUID | None = None) -> Decision:
    """An unsaved decision that undoes another, in the same batch."""
    values: dict[str, Any] = {"undoes": decision, "batch": decision.batch}
    return build_decision(ticket, decision.assignment, by, Act.UNDONE, NOTHING_PRESENTED, key=key or uuid4(), **values)


def write_label_decisions(decisions: Sequence[Decision]) -> None:
    """Write decisions that give a label; a label merged away meanwhile is replaced by its successor."""
    if not decisions:
        return
    categories, sentiments = _successors(decisions)
    for decision in decisions:
        decision.category_id = categories.get(decision.category_id, decision.category_id)
        decision.sentiment_id = sentiments.get(decision.sentiment_id, decision.sentiment_id)
    write_decisions(decisions)


def write_decisions(decisions: Sequence[Decision]) -> None:
    """Write decisions; those that give a label go through `write_label_decisions`."""
    Decision.objects.bulk_create(decisions)


_SUCCESSORS = """
SELECT c.id, COALESCE(c.merged_into_id, c.id), s.id, COALESCE(s.merged_into_id, s.id)
FROM classifier_category c CROSS JOIN classifier_sentiment s
WHERE c.id IN ({categories}) AND s.id IN ({sentiments}) ORDER BY c.id, s.id{lock}"""


def _successors(decisions: Sequence[Decision]) -> tuple[dict[int | None, int], dict[int | None, int]]:
    """The current successor of each category and each sentiment, locked against merges."""
    categories, sentiments = (
        {getattr(decision, axis) for decision in decisions} for axis in ("category_id", "sentiment_id")
    )
    marks = {"categories": placeholders([*categories]), "sentiments": placeholders([*sentiments])}
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    successors = fetch_rows(_SUCCESSORS.format(**marks, lock=lock), [*categories, *sentiments])
    return {category: successor for category, successor, *_sentiment in successors}, {
        sentiment: successor for *_category, sentiment, successor in successors
    }


def current_predictions(ticket_pks: Sequence[int]) -> dict[int, Prediction]:
    """By ticket, the prediction behind the gate's current verdict."""
    verdicts = Verdict.objects.current().filter(ticket__in=ticket_pks, prediction__isnull=False)
    return {
        verdict.ticket_id: verdict.prediction for verdict in verdicts.select_related("prediction") if verdict.prediction
    }
