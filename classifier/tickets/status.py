"""What a page may tell of where a ticket stands: of a sealed one nothing that a model or a person said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from classifier.models import Ticket, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The label that counts, or in a few words why there is none; and what led to it."""

    category: str = ""
    sentiment: str = ""
    instead: str = ""
    confidence: str = ""
    reason: str = ""
    verdict: Verdict | None = None
    """What models said, where it is what counts."""

    @classmethod
    def of(cls, ticket: Ticket) -> Standing:
        """Of a ticket that came `with_labels`."""
        if ticket.state == Ticket.State.NEW:
            return cls(instead=_("waiting to be classified"))
        if ticket.sealed:
            return cls(instead=_("hidden until it is reviewed"), reason=_("blind review"))
        if ticket.category:
            return cls(category=ticket.category.name, sentiment=str(ticket.sentiment))
        return cls._by_models(ticket.verdict, held=ticket.state == Ticket.State.HELD)

    @classmethod
    def _by_models(cls, verdict: Verdict | None, *, held: bool) -> Standing:
        reason = str(verdict.get_reason_display()) if verdict else ""
        if held and verdict and verdict.accepted:
            reason = _("it had passed, and is looked at after all")
        if verdict is None or verdict.prediction is None:
            return cls(instead=_("no label"), reason=reason, verdict=verdict)
        said = verdict.prediction
        return cls(
            category=said.category.name,
            sentiment=said.sentiment.name,
            confidence=said.shown_confidence,
            reason=reason,
            verdict=verdict,
        )


@dataclass(frozen=True, slots=True)
class Unsaid:
    """That somebody had a say of a sealed ticket, without what it was."""

    created_at: datetime
    reviewer: str


def history(ticket: Ticket) -> list[tuple[str, Any]]:
    """What happened to the ticket, as far as it may be told; each event with the name of its kind."""
    events = ticket.history()
    if not ticket.sealed:
        return events
    return [("unsaid", Unsaid(event.created_at, str(event.reviewer))) for kind, event in events if kind == "decision"]
