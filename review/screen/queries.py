"""Hand-written SQL that every decision runs.

With the ORM, building these queries took longer than running them, and most of the time of a decision.
"""

import json
from typing import Any, NamedTuple

from classifier.database.sql import columns, fetch_objects, fetch_rows
from classifier.models import Epoch, Failure, LanguageModel, Prediction, Score, Ticket, Verdict, WholeMessage

_TICKET = """
SELECT {columns}, (SELECT w.text FROM classifier_wholemessage w WHERE w.ticket_id = classifier_ticket.id)
FROM classifier_ticket WHERE id = %s"""

_VERDICT = """
SELECT v.reason, v.threshold, e.threshold, e.mode, e.about, g.category, g.both, f.detail,
    p.id, p.category_id, p.sentiment_id, p.confidence, p.reasoning, p.words, p.attributes, p.scorer_id,
    p.further_categories, ps.name,
    o.id, o.category_id, o.sentiment_id, o.confidence, o.reasoning, o.words, o.attributes, o.scorer_id,
    o.further_categories, os.name
FROM classifier_verdict v
LEFT JOIN classifier_epoch e ON e.id = v.epoch_id
LEFT JOIN classifier_score g ON g.id = v.score_id
LEFT JOIN classifier_failure f ON f.id = v.failure_id
LEFT JOIN classifier_prediction p ON p.id = v.prediction_id
LEFT JOIN classifier_languagemodel ps ON ps.id = p.language_model_id
LEFT JOIN classifier_prediction o ON o.id = v.second_opinion_id
LEFT JOIN classifier_languagemodel os ON os.id = o.language_model_id
WHERE v.ticket_id = %s AND v.current"""

_EARLIER = """
SELECT t.id, substr(t.text, 1, 200) AS text, t.state, c.full_name AS category, s.name AS sentiment
FROM classifier_ticket t
LEFT JOIN classifier_category c ON c.id = t.category_id
LEFT JOIN classifier_sentiment s ON s.id = t.sentiment_id
WHERE t.customer = %s AND NOT (t.customer = '') AND t.id < %s ORDER BY t.id DESC LIMIT %s"""

_DUPLICATES = """
SELECT CAST(NULL AS bigint) AS id, '' AS text, s.state, c.full_name AS category, n.name AS sentiment
FROM review_assignment s
JOIN classifier_ticket t ON t.id = s.ticket_id
LEFT JOIN classifier_category c ON c.id = t.category_id
LEFT JOIN classifier_sentiment n ON n.id = t.sentiment_id
WHERE s.group_id = %s AND s.ticket_id <> %s AND s.purpose = 'review' AND s.round = 1
    AND (t.state = 'settled' OR (s.state = 'open' AND s.lane = 'agents' AND NOT s.blind AND s.category_id IS NOT NULL))
LIMIT %s"""

_EARLIER_AND_DUPLICATES = f"SELECT * FROM ({_EARLIER}) AS earlier UNION ALL SELECT * FROM ({_DUPLICATES}) AS duplicates"  # noqa: S608 - constant SQL

_LABELS = """
SELECT axis, id, name, parent_id, shortcut FROM (
    SELECT 'category' AS axis, id, name, parent_id, shortcut, position FROM classifier_category WHERE NOT retired
    UNION ALL SELECT 'sentiment', id, name, NULL, shortcut, position FROM classifier_sentiment WHERE NOT retired
    UNION ALL SELECT 'attribute', id, name, NULL, NULL, position FROM classifier_attribute WHERE NOT retired
) AS label ORDER BY axis, position, name"""

# Numbered with the retired ones, so that retiring one moves no other's key.
_ATTRIBUTES = """
SELECT a.id, a.number, a.name, a.description, a.kind, a.pattern, a.required, o.id, o.name, o.merged_into_id
FROM (SELECT *, row_number() OVER (ORDER BY position, key) AS number FROM classifier_attribute) AS a
LEFT JOIN classifier_attributeoption o
    ON o.attribute_id = a.id AND (NOT o.retired OR o.merged_into_id IS NOT NULL)
WHERE NOT a.retired ORDER BY a.number, o.position, o.name"""

_CATEGORIES_OF_ATTRIBUTES = """
SELECT l.attribute_id, c.full_name FROM classifier_attribute_categories l
JOIN classifier_category c ON c.id = l.category_id"""


class EarlierTicket(NamedTuple):
    """An earlier ticket of the same customer; category and sentiment are None unless it is settled."""

    pk: int
    text: str
    state: str
    category: str | None
    sentiment: str | None

    @property
    def url(self) -> str:
        return Ticket(pk=self.pk).get_absolute_url()


class Duplicates(NamedTuple):
    """Near-duplicates of a ticket: how many wait for bulk review, and how often each label was given."""

    waiting: int
    decided: list[tuple[str, int]]


def fetch_ticket(pk: int) -> Ticket:
    """The ticket, with its whole message if there is one. Raises Ticket.DoesNotExist."""
    for ticket, (whole,) in fetch_objects(Ticket, _TICKET.format(columns=columns(Ticket)), [pk]):
        if whole:
            ticket.whole_message = WholeMessage(ticket=ticket, text=whole)
        return ticket
    raise Ticket.DoesNotExist


def fetch_ticket_with_verdict(pk: int) -> tuple[Ticket, Verdict | None]:
    """The ticket and its current verdict with predictions, as far as the card shows them (two queries).

    Raises Ticket.DoesNotExist.
    """
    ticket = fetch_ticket(pk)
    for reason, threshold, fixed_threshold, mode, about, category, both, failure, *predictions in fetch_rows(
        _VERDICT, [pk]
    ):
        return ticket, Verdict(
            ticket=ticket,
            reason=reason,
            auto_accepted=False,
            epoch=Epoch(threshold=fixed_threshold, mode=mode, about=about),
            threshold=threshold,
            score=None if both is None else Score(category=category, both=both),
            failure=None if failure is None else Failure(detail=failure),
            prediction=_prediction(*predictions[:10]),
            second_opinion=_prediction(*predictions[10:]),
        )
    return ticket, None


def _prediction(
    pk: int | None,
    category: int,
    sentiment: int,
    confidence: float,
    reasoning: str,
    words: Any,
    attributes: Any,
    scorer: int | None,
    further: Any,
    name: str,
) -> Prediction | None:
    if pk is None:
        return None
    return Prediction(
        pk=pk,
        category_id=category,
        sentiment_id=sentiment,
        confidence=confidence,
        reasoning=reasoning,
        words=_parsed_json(words),
        attributes=_parsed_json(attributes),
        scorer_id=scorer,
        further_categories=_parsed_json(further),
        language_model=LanguageModel(name=name),
    )


def _parsed_json(stored: Any) -> Any:
    """Parse a JSON column, which SQLite returns as text."""
    return json.loads(stored) if isinstance(stored, str) else stored


def earlier_tickets(ticket: Ticket, most: int) -> list[EarlierTicket]:
    """The same customer's earlier tickets, latest first; none if the customer is unknown."""
    return [EarlierTicket(*row) for row in fetch_rows(_EARLIER, [ticket.customer, ticket.pk, most])]


def duplicates_of(group: int, ticket_pk: int, most: int) -> Duplicates:
    """Count at most `most` other tickets of a duplicate group."""
    return _count_duplicates(fetch_rows(_DUPLICATES, [group, ticket_pk, most]))


def earlier_and_duplicates(
    ticket: Ticket, group: int, most_earlier: int, most_duplicates: int
) -> tuple[list[EarlierTicket], Duplicates]:
    """Both in one query."""
    values = [ticket.customer, ticket.pk, most_earlier, group, ticket.pk, most_duplicates]
    rows = fetch_rows(_EARLIER_AND_DUPLICATES, values)
    earlier = [EarlierTicket(*row) for row in rows if row[0] is not None]
    return earlier, _count_duplicates([row for row in rows if row[0] is None])


def _count_duplicates(rows: list[tuple[Any, ...]]) -> Duplicates:
    labels = [f"{category} | {sentiment}" for *_ticket, state, category, sentiment in rows if state != "open"]
    counts = {label: labels.count(label) for label in labels}
    return Duplicates(len(rows) - len(labels), sorted(counts.items(), key=lambda label_count: -label_count[1]))


def active_labels() -> list[tuple[Any, ...]]:
    """The active labels in order, as (axis, primary key, name, parent, shortcut)."""
    return fetch_rows(_LABELS, [])


def active_attributes() -> list[tuple[Any, ...]]:
    """The active attributes in order, one row per option: (primary key, number, name, description, kind, pattern,
    required, option, its name, what it was merged into).
    """
    return fetch_rows(_ATTRIBUTES)


def categories_of_attributes() -> list[tuple[Any, ...]]:
    """(attribute, full name of a category that it is asked of) of all that are not asked of all tickets."""
    return fetch_rows(_CATEGORIES_OF_ATTRIBUTES)
