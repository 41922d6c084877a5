"""Adds people's decisions to the history on a ticket's page."""

from typing import Any

from classifier.models import Ticket
from review.models import Decision


def decisions_for_history(ticket: Ticket, **_signal: Any) -> list[tuple[str, Decision]]:
    """All decisions on the ticket, each with the name of its event kind (one query)."""
    decisions = Decision.objects.filter(ticket=ticket).with_labels().select_related("undoes__reviewer")
    return [("decision", decision) for decision in decisions]
