"""What the screen reads with every decision, in SQL of its own.

Written by the ORM these few queries took longer to put together than to answer, and most of the time of a decision.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.db import connection

from classifier.models import Epoch, Failure, ModelSpec, Prediction, Ticket, Verdict

_TICKET = """
SELECT t.id, t.text, t.customer, t.channel, t.language, t.received_at, t.due_at, t.state, t.sealed
FROM classifier_ticket t WHERE t.id = %s"""

_TICKET_WITH_VERDICT = """
SELECT t.id, t.text, t.customer, t.channel, t.language, t.received_at, t.due_at, t.state, t.sealed,
    v.reason AS verdict_reason, e.threshold AS verdict_threshold, f.detail AS failure_detail,
    p.id AS first_id, p.category_id AS first_category, p.sentiment_id AS first_sentiment,
    p.confidence AS first_confidence, p.reasoning AS first_reasoning, p.words AS first_words,
    ps.name AS first_name,
    o.id AS second_id, o.category_id AS second_category, o.sentiment_id AS second_sentiment,
    o.confidence AS second_confidence, o.reasoning AS second_reasoning, o.words AS second_words,
    os.name AS second_name
FROM classifier_ticket t
LEFT JOIN classifier_verdict v ON v.ticket_id = t.id AND v.current
LEFT JOIN classifier_epoch e ON e.id = v.epoch_id
LEFT JOIN classifier_failure f ON f.id = v.failure_id
LEFT JOIN classifier_prediction p ON p.id = v.prediction_id
LEFT JOIN classifier_modelspec ps ON ps.id = p.spec_id
LEFT JOIN classifier_prediction o ON o.id = v.second_opinion_id
LEFT JOIN classifier_modelspec os ON os.id = o.spec_id
WHERE t.id = %s"""

_EARLIER = """
SELECT t.id, substr(t.text, 1, 200), t.state, c.name, s.name
FROM classifier_ticket t
LEFT JOIN classifier_category c ON c.id = t.category_id
LEFT JOIN classifier_sentiment s ON s.id = t.sentiment_id
WHERE t.customer = %s AND NOT (t.customer = '') AND t.id < %s ORDER BY t.id DESC LIMIT %s"""

_ALIKE = """
SELECT s.state = 'open', c.name, n.name
FROM review_seat s
JOIN classifier_ticket t ON t.id = s.ticket_id
LEFT JOIN classifier_category c ON c.id = t.category_id
LEFT JOIN classifier_sentiment n ON n.id = t.sentiment_id
WHERE s."group" = %s AND s.ticket_id <> %s AND s.purpose = 'review' AND s.round = 1
    AND (t.state = 'settled' OR (s.state = 'open' AND s.lane = 'agents' AND NOT s.blind AND s.category_id IS NOT NULL))
LIMIT %s"""

_LABELS = """
SELECT axis, id, name, parent_id FROM (
    SELECT 'category' AS axis, id, name, parent_id, position FROM classifier_category WHERE NOT retired
    UNION ALL SELECT 'sentiment', id, name, NULL, position FROM classifier_sentiment WHERE NOT retired
) AS label ORDER BY axis, position, name"""

_WAITING = """
SELECT count(*) FROM (SELECT 1 AS one FROM review_seat WHERE state = 'open' AND lane = %s LIMIT %s) AS waiting"""


class Earlier(NamedTuple):
    """An earlier ticket of the same customer: how it begins, and what people settled on, if they have."""

    pk: int
    text: str
    state: str
    category: str | None
    sentiment: str | None

    @property
    def url(self) -> str:
        return Ticket(pk=self.pk).get_absolute_url()


class Alike(NamedTuple):
    """Near-duplicates of a ticket: how many could be decided with it, and how often which label was given."""

    waiting: int
    decided: list[tuple[str, int]]


def ticket(pk: int) -> Ticket:
    """The ticket alone. Raises Ticket.DoesNotExist."""
    return _first(_TICKET, pk)


def ticket_with_verdict(pk: int) -> tuple[Ticket, Verdict | None]:
    """The ticket, and what the gate says of it with what models said, as far as a screen shows it.

    Raises Ticket.DoesNotExist.
    """
    row: Any = _first(_TICKET_WITH_VERDICT, pk)
    if row.verdict_reason is None:
        return row, None
    return row, Verdict(
        ticket=row,
        reason=row.verdict_reason,
        accepted=False,
        epoch=Epoch(threshold=row.verdict_threshold),
        failure=None if row.failure_detail is None else Failure(detail=row.failure_detail),
        prediction=_prediction(row, "first"),
        second_opinion=_prediction(row, "second"),
    )


def _first(sql: str, pk: int) -> Ticket:
    for row in Ticket.objects.raw(sql, [pk]):
        return row
    raise Ticket.DoesNotExist


def _prediction(row: Any, which: str) -> Prediction | None:
    if getattr(row, f"{which}_id") is None:
        return None
    return Prediction(
        pk=getattr(row, f"{which}_id"),
        category_id=getattr(row, f"{which}_category"),
        sentiment_id=getattr(row, f"{which}_sentiment"),
        confidence=getattr(row, f"{which}_confidence"),
        reasoning=getattr(row, f"{which}_reasoning"),
        words=_listed(getattr(row, f"{which}_words")),
        spec=ModelSpec(name=getattr(row, f"{which}_name")),
    )


def _listed(stored: Any) -> Any:
    """A column of JSON, which comes as the database has it: as text, where it knows no JSON."""
    return json.loads(stored) if isinstance(stored, str) else stored


def earlier_of(ticket: Ticket, most: int) -> list[Earlier]:
    """What the same customer wrote before, latest first; nothing where the customer is not known."""
    return [Earlier(*row) for row in _rows(_EARLIER, ticket.customer, ticket.pk, most)]


def alike(group: int, ticket_pk: int, most: int) -> Alike:
    """What the other tickets of a group of near-duplicates tell, up to so many of them."""
    rows = _rows(_ALIKE, group, ticket_pk, most)
    labels = [f"{category} | {sentiment}" for is_open, category, sentiment in rows if not is_open]
    counts = {label: labels.count(label) for label in labels}
    return Alike(len(rows) - len(labels), sorted(counts.items(), key=lambda one: -one[1]))


def labels() -> list[tuple[Any, ...]]:
    """The active labels in their order: the axis, the key, the name, and of a category the key of its parent."""
    return _rows(_LABELS)


def waiting(lane: str, most: int) -> int:
    """How many seats of a lane are open; counting stops at `most`."""
    return int(_rows(_WAITING, str(lane), most)[0][0])


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
