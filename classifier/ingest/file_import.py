"""Imports files of tickets in chunks; rejected records go to a separate file with the reason."""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils import timezone

from classifier.database.batches import chunked
from classifier.ingest import storing
from classifier.ingest.moments import is_plausible, parse_moment
from classifier.ingest.readers.ticket_records import RejectedRecord, TicketRecord
from classifier.models import Ticket

CHUNK = 1_000
_LENGTHS = {
    field.name: field.max_length
    for field in Ticket._meta.concrete_fields
    if field.name in ("external_id", "customer", "channel", "language") and field.max_length
}
_CONFLICT = "A ticket with this id exists with another text. Give this one another id, or take its text with --update."
_CLASSIFIED = "A ticket with this id exists with another text and has been classified. Give this one another id."


@dataclass(slots=True)
class ImportCounts:
    """How many records were stored, updated, existed already and were rejected so far; `undated` are stored without
    a date that could not be read.
    """

    stored: int = 0
    updated: int = 0
    existing: int = 0
    rejected: int = 0
    undated: int = 0


class RejectsFile(Protocol):
    """Where rejected records are written, one JSON object per line."""

    def write(self, line: str, /) -> object: ...


class InvalidValue(Exception):
    """A value that a ticket cannot have; the message says how to fix it."""


def import_records(
    source: str,
    records: Iterable[TicketRecord | RejectedRecord],
    rejects: RejectsFile,
    *,
    required: Collection[str] = (),
    update: bool = False,
) -> Iterator[ImportCounts]:
    """Store the records in chunks; yields the counts after each chunk is committed.

    A date that can't be read rejects its record only if its field is `required`. With `update`, a ticket that exists
    with another text and has not been classified takes the new text; otherwise the record is rejected.
    """
    counts = ImportCounts()
    for chunk in chunked(records, CHUNK):
        rows: list[tuple[TicketRecord, dict[str, Any]]] = []
        for record in chunk:
            try:
                if isinstance(record, RejectedRecord):
                    raise InvalidValue(record.reason)
                rows.append((record, _ticket_values(record, source, required, counts)))
            except InvalidValue as error:
                _reject(record, str(error), rejects, counts)
        _store(rows, rejects, counts, update=update)
        yield counts


def _store(
    rows: list[tuple[TicketRecord, dict[str, Any]]], rejects: RejectsFile, counts: ImportCounts, *, update: bool
) -> None:
    results = storing.store([values for _record, values in rows])
    for (record, values), result in zip(rows, results, strict=True):
        if result.created:
            counts.stored += 1
        elif result.same_text:
            counts.existing += 1
        elif update and storing.replace_text(result.ticket, values["text"]):
            counts.updated += 1
        else:
            _reject(record, _CLASSIFIED if update else _CONFLICT, rejects, counts)


def _reject(record: TicketRecord | RejectedRecord, reason: str, rejects: RejectsFile, counts: ImportCounts) -> None:
    raw = record.raw if isinstance(record, RejectedRecord) else record.values
    rejects.write(json.dumps({"record": record.number, "reason": reason, "raw": raw}, ensure_ascii=False) + "\n")
    counts.rejected += 1


def _ticket_values(
    record: TicketRecord, source: str, required: Collection[str], counts: ImportCounts
) -> dict[str, Any]:
    """Keyword arguments of a Ticket. Raises InvalidValue."""
    values = record.values
    ticket: dict[str, Any] = {"source": source, "text": values["text"]}
    ticket["external_id"] = _checked("external_id", values.get("external_id"))
    for name in ("customer", "channel", "language"):
        ticket[name] = _checked(name, values.get(name)) or ""
    for name in ("received_at", "due_at"):
        value = values.get(name)
        moment = parse_moment(value, timezone.get_current_timezone()) if value else None
        if moment and (name == "due_at" or is_plausible(moment)):
            ticket[name] = moment
        elif value and name in required:
            raise InvalidValue(f"{name} {value!r} is not a date that can be read; write it as 2026-01-31T14:05:00Z.")
        elif value:
            counts.undated += 1
    return ticket


def _checked(name: str, value: str | None) -> str | None:
    if value is not None and len(value) > _LENGTHS[name]:
        raise InvalidValue(f"{name} has {len(value)} characters. Shorten it to {_LENGTHS[name]}.")
    return value
