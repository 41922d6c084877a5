"""The status of a ticket as pages may show it: a sealed ticket reveals no predictions or decisions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from classifier.models import Ticket, Verdict
from classifier.models.verdict import current_verdict
from classifier.tickets.effective_label import effective_label
from classifier.tickets.further_categories import FurtherCategories


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketStatus:
    """The label that applies, or why there is none, and what led to it."""

    category: str = ""
    sentiment: str = ""
    instead: str = ""
    confidence: str = ""
    reason: str = ""
    verdict: Verdict | None = None
    """Only where the label is a prediction."""

    @classmethod
    def for_ticket(cls, ticket: Ticket) -> "TicketStatus":
        """The ticket must come from `with_labels`."""
        if ticket.state == Ticket.State.NEW:
            return cls(instead=_("waiting for classification"))
        if ticket.sealed:
            return cls(instead=_("hidden until reviewed"), reason=_("blind review"))
        label = effective_label(ticket)
        if label is None:
            return cls(instead=_("no label"), reason=_reason(ticket), verdict=current_verdict(ticket))
        category, sentiment = str(label.category), label.sentiment.name
        if label.prediction is None:
            return cls(category=category, sentiment=sentiment)
        return cls(
            category=category,
            sentiment=sentiment,
            confidence=label.prediction.displayed_confidence,
            reason=_reason(ticket),
            verdict=current_verdict(ticket),
        )


def _reason(ticket: Ticket) -> str:
    verdict = current_verdict(ticket)
    if ticket.state == Ticket.State.NEEDS_REVIEW and verdict and verdict.auto_accepted:
        return _("auto-accepted earlier, sent back for review")
    return str(verdict.get_reason_display()) if verdict else ""


def _name_further(events: list[Any]) -> None:
    """Give predictions and decisions the names of their further categories as `further`."""
    named = FurtherCategories(event.further_categories for event in events)
    for event in events:
        event.further = named.names(event.further_categories, event.category_id)


@dataclass(frozen=True, slots=True)
class HiddenDecision:
    """A decision on a sealed ticket, without its content."""

    created_at: datetime
    reviewer: str


def visible_history(ticket: Ticket) -> list[tuple[str, Any]]:
    """The ticket's events that may be shown, each with the name of its kind."""
    events = ticket.history()
    if not ticket.sealed:
        _name_further([event for kind, event in events if kind in ("prediction", "decision")])
        return events
    return [
        ("hidden", HiddenDecision(event.created_at, str(event.reviewer)))
        for kind, event in events
        if kind == "decision"
    ]
