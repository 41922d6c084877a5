"""Files of tickets into the table: in chunks, each once, what cannot be taken written aside with the reason."""

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
    """How an import went so far."""

    stored: int = 0
    known: int = 0
    rejected: int = 0


class RejectsFile(Protocol):
    """Where rejected rows are written, a JSON object a line."""

    def write(self, line: str, /) -> object: ...


class InvalidValue(Exception):
    """A value that a ticket cannot have; the message says what to do."""


def import_records(
    source: str, records: Iterable[TicketRecord | RejectedRecord], rejects: RejectsFile
) -> Iterator[ImportCounts]:
    """Store what can be stored, chunk by chunk; yields the tally after each, when it is safely in the database."""
    tally = ImportCounts()
    chunk: list[dict[str, Any]] = []
    for record in records:
        try:
            chunk.append(_ticket(record))
        except InvalidValue as error:
            tally.rejected += 1
            _write_aside(record, str(error), rejects)
        if len(chunk) == CHUNK:
            yield _store(source, chunk, tally)
            chunk = []
    yield _store(source, chunk, tally)


def _store(source: str, chunk: list[dict[str, Any]], tally: ImportCounts) -> ImportCounts:
    received = storing.store_many(source, chunk)
    tally.stored += received.stored
    tally.known += received.known
    return tally


def _write_aside(record: TicketRecord | RejectedRecord, reason: str, rejects: RejectsFile) -> None:
    raw = record.raw if isinstance(record, RejectedRecord) else record.values
    rejects.write(json.dumps({"record": record.number, "reason": reason, "raw": raw}, ensure_ascii=False) + "\n")


def _ticket(record: TicketRecord | RejectedRecord) -> dict[str, Any]:
    """Keyword arguments of a Ticket. Raises BadValue."""
    if isinstance(record, RejectedRecord):
        raise InvalidValue(record.reason)
    values = record.values
    ticket: dict[str, Any] = {"text": values["text"], "external_id": _short("external_id", values.get("external_id"))}
    for name in ("customer", "channel", "language"):
        ticket[name] = _short(name, values.get(name)) or ""
    if received := values.get("received_at"):
        ticket["received_at"] = _moment("received_at", received)
    if due := values.get("due_at"):
        ticket["due_at"] = _moment("due_at", due)
    return ticket


def _short(name: str, value: str | None) -> str | None:
    if value is not None and len(value) > _LENGTHS[name]:
        raise InvalidValue(f"{name} has {len(value)} characters, at most {_LENGTHS[name]} can be kept: shorten it.")
    return value


def _moment(name: str, value: str) -> datetime:
    """A date and time in ISO 8601; one without a zone is local to the installation."""
    try:
        moment = parse_datetime(value)
        if moment is None and (day := parse_date(value)):
            moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
    except ValueError as error:
        raise InvalidValue(f"{name} {value!r} is no date: {error}.") from error
    if moment is None:
        raise InvalidValue(
            f"{name} {value!r} is no date and time as in 2026-01-31T14:05:00Z: write it so, or map no column."
        )
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
