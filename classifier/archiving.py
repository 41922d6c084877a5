"""Tickets that are long done with leave the database for files, with all that models and the gate said of them.

What goes are tickets that passed and that people never had anything to do with; whatever else refers to one, from any
table, keeps it. Draws of audits stay where they are, without their tickets: they are evidence.

Files are written first, under a name that does not count. One transaction then removes the tickets and writes the
file's row, which says that it counts; last the file gets its name. Whenever that is cut off, the row tells on which
side each ticket is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, models, transaction

from classifier import archive_files, references
from classifier.archive_files import PART, NoArchive, Record
from classifier.database.batches import chunked
from classifier.models import (
    Archive,
    AuditDraw,
    Category,
    Example,
    Failure,
    LanguageModel,
    Prediction,
    Score,
    Sentiment,
    Ticket,
    Vector,
    Verdict,
)
from classifier.models.specialist import digest_of

A_FILE = 5_000
"""Tickets looked at in one go, and at most in one file."""
CHUNK = 500

PARTS: dict[str, tuple[type[models.Model], str]] = {
    "predictions": (Prediction, "ticket"),
    "failures": (Failure, "ticket"),
    "scores": (Score, "prediction__ticket"),
    "verdicts": (Verdict, "ticket"),
}
"""What goes along with a ticket, in the order in which it can be put back, and the way from there to the ticket."""


@dataclass(slots=True)
class Archived:
    """What a run has moved, and what stays of what is old enough, by what keeps it."""

    tickets: int = 0
    files: list[str] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)


def archive(folder: Path, *, before: datetime) -> Archived:
    """Move tickets into files below this folder that passed before this time and have not been judged since.

    One run at a time; one that was cut off is made good by the next. Raises NoArchive, OSError.
    """
    finish(folder)
    done, after = Archived(), 0
    while old := _passed(after, before):
        after = old[-1]
        written = _move(folder, old, done)
        _name(folder, written)
        done.files += written
    return done


def finish(folder: Path) -> None:
    """Bring to an end what a run before left half done. Raises NoArchive."""
    for part in sorted(folder.rglob(f"*{PART}")):
        name = part.relative_to(folder).as_posix().removesuffix(PART)
        if Archive.objects.filter(name=name).exists():
            _name(folder, [name])
        elif _is_superfluous(part):
            part.unlink()
        else:
            raise NoArchive(f"{part} holds tickets that this database does not know: is the folder another's?")


def find(folder: Path, ticket_pk: int) -> tuple[Archive, Record] | None:
    """The file that an archived ticket is in, and what is kept of it. Raises NoArchive."""
    for archive in Archive.objects.around(ticket_pk):
        for record in archive_files.read(checked(folder, archive)):
            if record["ticket"]["id"] == ticket_pk:
                return archive, record
    return None


def restore(folder: Path, archive: Archive) -> int:
    """Put the tickets of a file back as they were, and remove it. Returns how many. Raises NoArchive."""
    path = checked(folder, archive)
    if gone := _gone(path):
        raise NoArchive(
            f"{path} cannot be put back: {', '.join(gone)} is not there any more. Restore a backup beside it."
        )
    try:
        number = _put_back(path, archive)
    except IntegrityError as error:
        raise NoArchive(f"{path} cannot be put back, for a ticket came again meanwhile: {error}.") from error
    path.unlink()
    return number


def checked(folder: Path, archive: Archive) -> Path:
    """Where a file is, if it is what was written. Raises NoArchive."""
    path = folder / archive.name
    if not path.exists():
        path = path.with_name(path.name + PART)
    if not path.exists():
        raise NoArchive(f"{archive.name} is not in {folder}; look for it in the backups of that folder.")
    if archive_files.sha256(path) != archive.sha256:
        raise NoArchive(f"{path} is not as it was written; take it from a backup.")
    return path


def _passed(after: int, before: datetime) -> list[int]:
    """The next tickets that have passed long enough ago; none where the next ones are all younger, as are all later."""
    accepted = Ticket.objects.in_state(Ticket.State.ACCEPTED).filter(pk__gt=after).order_by("pk")
    pks = list(accepted.values_list("pk", flat=True)[:A_FILE])
    old = Verdict.objects.current().filter(ticket__in=pks, created_at__lt=before)
    return sorted(old.values_list("ticket", flat=True))


@transaction.atomic(durable=True)
def _move(folder: Path, ticket_pks: Sequence[int], done: Archived) -> list[str]:
    """Into a file for each month in which they came; the files' names."""
    locked = Ticket.objects.in_state(Ticket.State.ACCEPTED).select_for_update().filter(pk__in=ticket_pks)
    tickets: list[Record] = [dict(row) for row in locked.order_by("pk").values()]
    kept = references.keeping([ticket["id"] for ticket in tickets])
    free = [ticket for ticket in tickets if ticket["id"] not in kept]
    months: dict[str, list[Record]] = defaultdict(list)
    for record in _records(free):
        months[f"{record['ticket']['received_at']:%Y-%m}"].append(record)
    written = [_write(folder, month, records) for month, records in months.items()]
    _remove(free)
    done.tickets += len(free)
    done.kept.update(kept.values())
    return written


def _write(folder: Path, month: str, records: list[Record]) -> str:
    """A file that does not count yet, and its row."""
    first, last = records[0]["ticket"]["id"], records[-1]["ticket"]["id"]
    name = f"{month}/{first}-{last}.jsonl.gz"
    path = folder / f"{name}{PART}"
    archive_files.write(path, _names(), records)
    digest = archive_files.sha256(path)
    Archive.objects.create(name=name, sha256=digest, tickets=len(records), first=first, last=last)
    return name


def _name(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        path = folder / name
        path.with_name(path.name + PART).rename(path)
        archive_files.sync(path.parent)


def _is_superfluous(part: Path) -> bool:
    """Whether all that a file holds is in the database; one that was cut off while it was written says nothing."""
    try:
        pks = [record["ticket"]["id"] for record in archive_files.read(part)]
    except NoArchive:
        return True
    return all(Ticket.objects.filter(pk__in=some).count() == len(some) for some in chunked(pks, CHUNK))


def _records(tickets: Sequence[Record]) -> Iterator[Record]:
    pks = [ticket["id"] for ticket in tickets]
    parts = {name: _by_ticket(model, way, pks) for name, (model, way) in PARTS.items()}
    draws = _by_ticket(AuditDraw, "verdict__ticket", pks)
    for ticket in tickets:
        said = {name: found.get(ticket["id"], []) for name, found in parts.items()}
        drawn = [{name: one[name] for name in ("id", "verdict_id", "score_id")} for one in draws.get(ticket["id"], [])]
        yield {"ticket": ticket, **said, "draws": drawn}


def _by_ticket(model: type[models.Model], way: str, ticket_pks: Sequence[int]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = defaultdict(list)
    names = [one.attname for one in model._meta.concrete_fields]
    for some in chunked(ticket_pks, CHUNK):
        rows = model._base_manager.filter(**{f"{way}__in": some}).order_by("pk")
        for ticket, *values in rows.values_list(way, *names):
            found[ticket].append(dict(zip(names, values, strict=True)))
    return found


def _remove(tickets: Sequence[Record]) -> None:
    """Vectors go as well, but for those of texts that models learn from: a text that comes again gets its own anew."""
    for some in chunked(tickets, CHUNK):
        pks = [ticket["id"] for ticket in some]
        AuditDraw.objects.filter(verdict__ticket__in=pks).update(verdict=None, score=None)
        for told in references.TOLD:
            told._base_manager.filter(ticket__in=pks).delete()
        for model, way in reversed(PARTS.values()):
            rows = model._base_manager.filter(**{f"{way}__in": pks})
            rows._raw_delete(rows.db)
        digests = {digest_of(ticket["text"]) for ticket in some}
        learned = Example.objects.filter(digest__in=digests).values_list("digest", flat=True)
        Vector.objects.filter(digest__in=digests.difference(learned)).delete()
        gone = Ticket.objects.filter(pk__in=pks)
        gone._raw_delete(gone.db)


@transaction.atomic(durable=True)
def _put_back(path: Path, archive: Archive) -> int:
    number = 0
    for record in archive_files.read(path):
        for model, row in _rows(record):
            # As fixtures are loaded: times stay as they were, and nobody is told of an arrival.
            model(**{name: _value(model, name, value) for name, value in row.items()}).save_base(
                raw=True, force_insert=True
            )
        for draw in record["draws"]:
            AuditDraw.objects.filter(pk=draw.pop("id")).update(**draw)
        number += 1
    archive.delete()
    return number


def _gone(path: Path) -> list[str]:
    """What rows of the file refer to and the database has no longer: labels, models and the like."""
    wanted: dict[type[models.Model], set[Any]] = defaultdict(set)
    for record in archive_files.read(path):
        for model, row in _rows(record):
            for column in model._meta.concrete_fields:
                if isinstance(column.related_model, type) and row[column.attname] is not None:
                    wanted[column.related_model].add(row[column.attname])
    gone = []
    for model in wanted.keys() - {Ticket, *(model for model, _way in PARTS.values())}:
        known = set(model._base_manager.filter(pk__in=wanted[model]).values_list("pk", flat=True))
        gone += [f"{model._meta.verbose_name} {pk}" for pk in sorted(wanted[model] - known)]
    return gone


def _rows(record: Record) -> Iterator[tuple[type[models.Model], Record]]:
    yield Ticket, record["ticket"]
    for name, (model, _way) in PARTS.items():
        yield from ((model, row) for row in record[name])


def _value(model: type[models.Model], name: str, value: Any) -> Any:
    column = next(one for one in model._meta.concrete_fields if one.attname == name)
    return value if column.is_relation or isinstance(column, models.JSONField) else column.to_python(value)


def _names() -> Record:
    """What the keys of labels and models stand for, so that a file can be read without the database."""
    kinds: dict[str, Any] = {"categories": Category, "sentiments": Sentiment, "models": LanguageModel}
    return {kind: {one.pk: str(one) for one in model.objects.all()} for kind, model in kinds.items()}
