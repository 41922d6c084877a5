"""What refers to tickets, from whichever table of whichever app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import models
from django.db.models import Q

from classifier.database.batches import chunked
from classifier.models import (
    AuditDraw,
    Event,
    Failure,
    Prediction,
    Score,
    Ticket,
    Verdict,
    WriteBack,
)
from classifier.models.outbox import Outgoing

CHUNK = 500

TOLD: tuple[type[models.Model], ...] = (Event, WriteBack)
"""What others were told of a ticket: it goes with the ticket."""

_WAYS: dict[type[models.Model], str] = {
    Ticket: "",
    Prediction: "__ticket",
    Failure: "__ticket",
    Verdict: "__ticket",
    Score: "__prediction__ticket",
}
_ONLY: dict[type[models.Model], Q] = {
    AuditDraw: Q(epoch__ended_at=None),
    Event: Q(deliveries__state=Outgoing.State.WAITING),
    WriteBack: Q(state=Outgoing.State.WAITING),
}
"""The draws of an epoch that has ended are evidence without their tickets; what others have been told is done with."""


def keeping(ticket_pks: Sequence[int]) -> dict[int, str]:
    """Those of the tickets that something else refers to than what models and the gate said, and in words what does."""
    found: dict[int, str] = {}
    for rows, way in _referring():
        for some in chunked(ticket_pks, CHUNK):
            kept = rows.filter(**{f"{way}__in": some}).order_by().values_list(way, flat=True)
            found |= dict.fromkeys(kept, str(rows.model._meta.verbose_name_plural))
    return found


def _referring() -> Iterator[tuple[models.QuerySet[models.Model], str]]:
    """Rows that refer to a ticket or to what was said of it, and the way from there to the ticket."""
    for model, way in _WAYS.items():
        # With those that have no name on the other side.
        for relation in model._meta.get_fields(include_hidden=True):
            if isinstance(relation, models.ForeignObjectRel) and relation.related_model not in _WAYS:
                other: Any = relation.related_model
                yield other._base_manager.filter(_ONLY.get(other, Q())), f"{relation.field.name}{way}"
