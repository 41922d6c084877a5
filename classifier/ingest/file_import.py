"""Imports files of tickets in chunks; rejected records are handed over with the reason."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from django.utils import timezone

from classifier.database.batches import chunked
from classifier.ingest import storing
from classifier.ingest.moments import is_plausible, parse_moment
from classifier.ingest.readers.ticket_records import RejectedRecord, TicketRecord
from classifier.models import Ticket

CHUNK = 1_000
_LENGTHS = {
    column.name: column.max_length
    for column in Ticket._meta.concrete_fields
    if column.name in ("external_id", "customer", "channel", "language") and column.max_length
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

    def as_json(self) -> dict[str, int]:
        return asdict(self)


class Rejected(NamedTuple):
    """A rejected record: its number in the file, the reason, and what is known of it."""

    number: int
    reason: str
    raw: str | Mapping[str, str | None]


class InvalidValue(Exception):
    """A value that a ticket cannot have; the message says how to fix it."""


@dataclass(frozen=True, slots=True)
class RecordImport:
    """How the records of a file become tickets of `source`; each rejected one is handed to `reject`.

    A date that can't be read rejects its record only if its field is `required`. With `update`, a ticket that exists
    with another text and has not been classified takes the new text; otherwise the record is rejected. With `dry_run`
    nothing is stored. With an `id_prefix`, records without an id get one, so that a repeat doesn't store them again.
    """

    source: str
    reject: Callable[[Rejected], object]
    required: Collection[str] = ()
    update: bool = False
    dry_run: bool = False
    id_prefix: str = ""
    _counts: ImportCounts = field(default_factory=ImportCounts)

    def run(self, records: Iterable[TicketRecord | RejectedRecord]) -> Iterator[ImportCounts]:
        """Store the records in chunks; yields the counts after each chunk is committed."""
        for chunk in chunked(records, CHUNK):
            rows: list[tuple[TicketRecord, dict[str, Any]]] = []
            for record in chunk:
                try:
                    if isinstance(record, RejectedRecord):
                        raise InvalidValue(record.reason)
                    rows.append((record, self._ticket_values(record)))
                except InvalidValue as error:
                    self._reject(record, str(error))
            self._store(rows)
            yield self._counts

    def _store(self, rows: list[tuple[TicketRecord, dict[str, Any]]]) -> None:
        results = (storing.preview if self.dry_run else storing.store)([values for _record, values in rows])
        for (record, values), result in zip(rows, results, strict=True):
            if result.created:
                self._counts.stored += 1
            elif result.same_text:
                self._counts.existing += 1
            elif self.update and (self.dry_run or storing.replace_text(result.ticket, values["text"])):
                self._counts.updated += 1
            else:
                self._reject(record, _CLASSIFIED if self.update else _CONFLICT)

    def _reject(self, record: TicketRecord | RejectedRecord, reason: str) -> None:
        raw = record.raw if isinstance(record, RejectedRecord) else record.values
        self.reject(Rejected(record.number, reason, raw))
        self._counts.rejected += 1

    def _ticket_values(self, record: TicketRecord) -> dict[str, Any]:
        """Keyword arguments of a Ticket. Raises InvalidValue."""
        values = record.values
        ticket: dict[str, Any] = {"source": self.source, "text": values["text"]}
        number = f"{self.id_prefix}{record.number}" if self.id_prefix else None
        ticket["external_id"] = _checked("external_id", values.get("external_id")) or number
        for name in ("customer", "channel", "language"):
            ticket[name] = _checked(name, values.get(name)) or ""
        for name in ("received_at", "due_at"):
            value = values.get(name)
            moment = parse_moment(value, timezone.get_current_timezone()) if value else None
            if moment and (name == "due_at" or is_plausible(moment)):
                ticket[name] = moment
            elif value and name in self.required:
                raise InvalidValue(
                    f"{name} {value!r} is not a date that can be read; write it as 2026-01-31T14:05:00Z."
                )
            elif value:
                self._counts.undated += 1
        return ticket


def _checked(name: str, value: str | None) -> str | None:
    if value is not None and len(value) > _LENGTHS[name]:
        raise InvalidValue(f"{name} has {len(value)} characters. Shorten it to {_LENGTHS[name]}.")
    return value
