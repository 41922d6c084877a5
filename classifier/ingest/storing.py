"""Stores incoming tickets, each once per source and external id."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from classifier.ingest import quotes
from classifier.leases import leases
from classifier.models import Ticket, WholeMessage
from classifier.text import LONGEST_TICKET, storable

INTERACTIVE_MAX = 20
"""Larger batches count as bulk and wait behind single tickets."""
_TRIES = 3


def validated_text(text: str) -> str:
    """The text as it will be stored. Raises ValidationError if it is empty or too long."""
    text = storable(text)
    if not text.strip():
        raise ValidationError(_("The text is empty; write what the customer wrote."))
    if len(text) > LONGEST_TICKET:
        raise ValidationError(
            _("The text has %(length)s characters; a ticket may have %(most)s. Split it or cut it.")
            % {"length": f"{len(text):,}", "most": f"{LONGEST_TICKET:,}"}
        )
    return text


class IngestResult(NamedTuple):
    """The ticket of a row, whether it was created now, whether its stored text equals the row's, and the row's whole
    message where the text leaves out parts of it.
    """

    ticket: Ticket
    created: bool
    same_text: bool
    whole: str = ""


class TextConflict(Exception):
    """Rows whose tickets exist with a different text, by index."""

    def __init__(self, indexes: Sequence[int]) -> None:
        super().__init__(f"rows {indexes} exist with a different text")
        self.indexes = indexes


def store(rows: Sequence[dict[str, Any]], *, claimed: bool = False) -> list[IngestResult]:
    """Store rows that are not stored yet; returns a result per row, in order.

    A row has keyword arguments of Ticket, and the `whole_message` where its text leaves out parts of that. Without that
    key, quoted threads and signatures are left out of the text of an e-mail.
    With `claimed` the caller holds the lease on the new tickets to classify them itself, and nothing is stored if a row
    exists with a different text. Raises TextConflict.
    """
    for _try in range(_TRIES - 1):
        try:
            return _store(rows, claimed)
        except IntegrityError:
            # Someone stored one of them in the meantime, so it is found now.
            continue
    return _store(rows, claimed)


@transaction.atomic(durable=True)
def _store(rows: Sequence[dict[str, Any]], claimed: bool) -> list[IngestResult]:
    state: dict[str, Any] = {"bulk": not claimed and len(rows) > INTERACTIVE_MAX}
    if claimed:
        state |= leases.granted() | {"attempts": 1}
    results = preview(rows, **state)
    if claimed and (conflicts := [index for index, result in enumerate(results) if not result.same_text]):
        raise TextConflict(conflicts)
    new = [result.ticket for result in results if result.created]
    wholes = [
        WholeMessage(ticket=result.ticket, text=result.whole) for result in results if result.created and result.whole
    ]
    # Always in the same order, so that two writers of the same tickets cannot deadlock.
    Ticket.objects.bulk_create(sorted(new, key=lambda ticket: (ticket.source, ticket.external_id or "")))
    WholeMessage.objects.bulk_create(wholes)
    return results


def preview(rows: Sequence[dict[str, Any]], **state: Any) -> list[IngestResult]:
    """What storing these rows would give; `state` is what new tickets have beside (one query)."""
    tickets = _existing(rows)
    results = []
    for row in rows:
        key, texts = (row["source"], row.get("external_id")), _texts(row)
        existing = tickets.get(key) if key[1] else None
        fields = {name: value for name, value in row.items() if name != "whole_message"}
        ticket = existing or Ticket(**fields | state | {"text": texts["text"]})
        if key[1]:
            tickets.setdefault(key, ticket)
        same_text = ticket.text in texts.values()
        results.append(IngestResult(ticket, created=not existing, same_text=same_text, whole=texts["whole_message"]))
    return results


def classified_text(row: dict[str, Any]) -> str:
    """The text of a row that is classified."""
    return _texts(row)["text"]


def _texts(row: dict[str, Any]) -> dict[str, str]:
    """The text of a row that is classified, and the whole message if that has more, or else ""."""
    text = storable(row["text"])
    if "whole_message" in row:
        return {"text": text, "whole_message": row["whole_message"]}
    return quotes.texts_of_message(text, channel=row.get("channel", ""), source=row["source"])


def _existing(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str | None], Ticket]:
    """The tickets that are stored already, by source and external id."""
    sources, ids = {row["source"] for row in rows}, {row.get("external_id") for row in rows} - {None}
    tickets = Ticket.objects.filter(source__in=sources, external_id__in=ids) if ids else ()
    return {(ticket.source, ticket.external_id): ticket for ticket in tickets}


@transaction.atomic
def replace_text(ticket: Ticket, text: str) -> bool:
    """Give a ticket another text, unless it has been classified, a worker is at it or somebody else has replaced it.

    Returns whether it has the text now.
    """
    waiting = Ticket.objects.new().filter(pk=ticket.pk, text=ticket.text, owner=None, predictions=None)
    texts = quotes.texts_of_message(text, channel=ticket.channel, source=ticket.source)
    if not Ticket.objects.filter(pk__in=waiting).update(text=texts["text"]):
        return False
    WholeMessage.objects.filter(ticket=ticket).delete()
    if whole := texts["whole_message"]:
        WholeMessage.objects.create(ticket=ticket, text=whole)
    return True
