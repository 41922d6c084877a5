"""Evidence for predictions on the ticket page: influential words and the nearest labelled tickets."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from classifier.models import Example, Prediction, Ticket
from classifier.models.verdict import current_verdict
from classifier.tickets import highlighting
from classifier.tickets.attribute_values import AttributeReader, NamedAnswer

ANSWERS = ("prediction", "decision")
"""Kinds of events that may answer attributes."""


class Evidence(NamedTuple):
    words: list[str]
    near: list[Ticket]
    """Nearest first; only their keys are loaded."""
    attributes: list[NamedAnswer]


def highlighted_prediction(ticket: Ticket) -> Prediction | None:
    """The prediction behind the current verdict; None while it is hidden. The ticket must come from `with_labels`."""
    hidden = ticket.sealed or ticket.state == Ticket.State.NEW
    verdict = current_verdict(ticket)
    return None if hidden or verdict is None else verdict.prediction


def events_with_evidence(
    ticket: Ticket, events: Sequence[tuple[str, Any]], reader: AttributeReader
) -> list[tuple[str, Any, Evidence | None]]:
    """Each event of the ticket's history; predictions come with their evidence, decisions with their attributes (one
    query for all).
    """
    keys = {key for kind, event in events if kind == "prediction" for key in event.near}
    near = _tickets(keys, ticket) if keys else {}
    return [
        (kind, event, _evidence(event, ticket, near, reader) if kind in ANSWERS else None) for kind, event in events
    ]


def _evidence(answer: Any, ticket: Ticket, near: dict[int, int], reader: AttributeReader) -> Evidence:
    """Of a prediction or a decision."""
    if not isinstance(answer, Prediction):
        return Evidence([], [], reader.answers(answer.attributes))
    tickets = dict.fromkeys(near[key] for key in answer.near if key in near)
    words = highlighting.highlighted_words(ticket.text, answer.words)
    return Evidence(words, [Ticket(pk=pk) for pk in tickets], reader.answers(answer.attributes))


def _tickets(keys: Iterable[int], but_not: Ticket) -> dict[int, int]:
    """The tickets that the examples come from; imported examples have none."""
    examples = Example.objects.filter(pk__in=keys, ticket__isnull=False).exclude(ticket=but_not)
    return dict(examples.values_list("pk", "ticket"))
