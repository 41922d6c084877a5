"""How tickets come in: stored once, and announced after commit (`Ticket.save` and `bulk_create` do that)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from .models import Ticket
from .text import LONGEST_TICKET, storable


def checked_text(text: str) -> str:
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
def receive_many(source: str, rows: Sequence[dict[str, Any]]) -> Received:
    """Store a chunk of tickets, each once per source and external id; rows are keyword arguments of Ticket."""
    named = {row["external_id"]: row for row in reversed(rows) if row.get("external_id")}
    nameless = [row for row in rows if not row.get("external_id")]
    known = set(Ticket.objects.filter(source=source, external_id__in=named).values_list("external_id", flat=True))
    fresh = [row for key, row in reversed(named.items()) if key not in known] + nameless
    # Somebody may import the same file at this moment: the unique key decides, and is no error.
    Ticket.objects.bulk_create([Ticket(source=source, **row) for row in fresh], ignore_conflicts=True)
    return Received(stored=len(fresh), known=len(rows) - len(fresh))
