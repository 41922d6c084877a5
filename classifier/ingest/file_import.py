"""Imports files of tickets in chunks; rejected records go to a separate file with the reason."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from classifier.ingest import storing
from classifier.ingest.readers.ticket_records import RejectedRecord, TicketRecord
from classifier.models import Ticket

CHUNK = 1_000
_LENGTHS = {
    field.name: field.max_length
    for field in Ticket._meta.concrete_fields
    if field.name in ("external_id", "customer", "channel", "language") and field.max_length
}


@dataclass(slots=True)
class ImportCounts:
    """How many records were stored, existed already and were rejected so far."""

    stored: int = 0
    existing: int = 0
    rejected: int = 0


class RejectsFile(Protocol):
    """Where rejected records are written, one JSON object per line."""

    def write(self, line: str, /) -> object: ...


class InvalidValue(Exception):
    """A value that a ticket cannot have; the message says how to fix it."""


def import_records(
    source: str, records: Iterable[TicketRecord | RejectedRecord], rejects: RejectsFile
) -> Iterator[ImportCounts]:
    """Store the records in chunks; yields the counts after each chunk is committed."""
    counts = ImportCounts()
    chunk: list[dict[str, Any]] = []
    for record in records:
        try:
            chunk.append(_ticket_values(record))
        except InvalidValue as error:
            counts.rejected += 1
            _write_rejected(record, str(error), rejects)
        if len(chunk) == CHUNK:
            yield _store(source, chunk, counts)
            chunk = []
    yield _store(source, chunk, counts)


def _store(source: str, chunk: list[dict[str, Any]], counts: ImportCounts) -> ImportCounts:
    stored = storing.store_many(source, chunk)
    counts.stored += stored
    counts.existing += len(chunk) - stored
    return counts


def _write_rejected(record: TicketRecord | RejectedRecord, reason: str, rejects: RejectsFile) -> None:
    raw = record.raw if isinstance(record, RejectedRecord) else record.values
    rejects.write(json.dumps({"record": record.number, "reason": reason, "raw": raw}, ensure_ascii=False) + "\n")


def _ticket_values(record: TicketRecord | RejectedRecord) -> dict[str, Any]:
    """Keyword arguments of a Ticket. Raises InvalidValue."""
    if isinstance(record, RejectedRecord):
        raise InvalidValue(record.reason)
    values = record.values
    ticket: dict[str, Any] = {"text": values["text"], "external_id": _checked("external_id", values.get("external_id"))}
    for name in ("customer", "channel", "language"):
        ticket[name] = _checked(name, values.get(name)) or ""
    for name in ("received_at", "due_at"):
        if value := values.get(name):
            ticket[name] = _parsed_datetime(name, value)
    return ticket


def _checked(name: str, value: str | None) -> str | None:
    if value is not None and len(value) > _LENGTHS[name]:
        raise InvalidValue(f"{name} has {len(value)} characters. Shorten it to {_LENGTHS[name]}.")
    return value


def _parsed_datetime(name: str, value: str) -> datetime:
    """An ISO 8601 date or time; without a zone it is in the installation's time zone."""
    try:
        parsed = parse_datetime(value)
        if parsed is None and (day := parse_date(value)):
            parsed = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
    except ValueError as error:
        raise InvalidValue(f"{name} {value!r} is not a valid date: {error}.") from error
    if parsed is None:
        raise InvalidValue(f"{name} {value!r} is not an ISO 8601 date, such as 2026-01-31T14:05:00Z.")
    return parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
