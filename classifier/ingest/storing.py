"""How tickets come in: stored once, and announced after commit (`Ticket.save` and `bulk_create` do that)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from classifier.leases import leases
from classifier.models import Ticket
from classifier.text import LONGEST_TICKET, storable

INTERACTIVE_MAX = 20
"""More than so many tickets at once have come in bulk, and let those that come singly go first."""


def validated_text(text: str) -> str:
    """The text as it will be stored. Raises ValidationError where it is empty or too long."""
    text = storable(text)
    if not text.strip():
        raise ValidationError(_("The text is empty; write what the customer wrote."))
    if len(text) > LONGEST_TICKET:
        raise ValidationError(
            _("The text has %(length)s characters; a ticket may have %(most)s. Split it or cut it.")
            % {"length": f"{len(text):,}", "most": f"{LONGEST_TICKET:,}"}
        )
    return text


@dataclass(slots=True)
class Received:
    """How many tickets were stored, and how many stood there already."""

    stored: int = 0
    known: int = 0


@transaction.atomic(durable=True)
def store_many(source: str, rows: Sequence[dict[str, Any]]) -> Received:
    """Store a chunk of tickets, each once per source and external id; rows are keyword arguments of Ticket.

    Of a chunk that is large nobody waits for a single one.
    """
    bulk = len(rows) > INTERACTIVE_MAX
    named = {row["external_id"]: row for row in reversed(rows) if row.get("external_id")}
    nameless = [row for row in rows if not row.get("external_id")]
    known = set(Ticket.objects.filter(source=source, external_id__in=named).values_list("external_id", flat=True))
    fresh = [row for key, row in reversed(named.items()) if key not in known] + nameless
    # Somebody may import the same file at this moment: the unique key decides, and is no error.
    Ticket.objects.bulk_create([Ticket(source=source, bulk=bulk, **row) for row in fresh], ignore_conflicts=True)
    return Received(stored=len(fresh), known=len(rows) - len(fresh))


class IngestResult(NamedTuple):
    """A row that came in: its ticket, whether it is a new one, and whether its text is what was stored before."""

    ticket: Ticket
    fresh: bool
    same: bool


class TextConflict(Exception):
    """Rows whose source and external id belong to tickets of another text, by their places."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__(f"rows {places} are other tickets than those of their external ids")
        self.places = places


def store_each(rows: Sequence[dict[str, Any]], *, claimed: bool = False) -> list[IngestResult]:
    """Store rows (keyword arguments of Ticket), each once per source and external id; what became of each, in order.

    With `claimed` the caller classifies the new ones and has them in hand already, for a lease; then rows of another
    text than that of their ticket let none be stored. Raises AnotherText.
    """
    try:
        return _receive_each(rows, claimed)
    except IntegrityError:
        # Somebody has stored one of them at this moment, so that it is found now.
        return _receive_each(rows, claimed)


@transaction.atomic(durable=True)
def _receive_each(rows: Sequence[dict[str, Any]], claimed: bool) -> list[IngestResult]:
    state: dict[str, Any] = {"bulk": not claimed and len(rows) > INTERACTIVE_MAX}
    if claimed:
        state |= leases.granted() | {"attempts": 1}
    tickets = _known(rows)
    fresh: list[Ticket] = []
    taken = []
    for row in rows:
        name, text = (row["source"], row.get("external_id")), storable(row["text"])
        ticket = tickets.get(name) if name[1] else None
        known = ticket is not None
        if ticket is None:
            ticket = Ticket(**row | state | {"text": text})
            fresh.append(ticket)
            if name[1]:
                tickets[name] = ticket
        taken.append(IngestResult(ticket, fresh=not known, same=ticket.text == text))
    if claimed and (others := [place for place, one in enumerate(taken) if not one.same]):
        raise TextConflict(others)
    # In one order everywhere, so that two that bring the same tickets wait for each other only one way round.
    Ticket.objects.bulk_create(sorted(fresh, key=lambda ticket: (ticket.source, ticket.external_id or "")))
    return taken


def _known(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str | None], Ticket]:
    """The tickets that stand there already, by source and external id."""
    sources, ids = {row["source"] for row in rows}, {row.get("external_id") for row in rows} - {None}
    found = Ticket.objects.filter(source__in=sources, external_id__in=ids) if ids else ()
    return {(ticket.source, ticket.external_id): ticket for ticket in found}
